"""The API does what its own document says, whatever is sent: schemathesis, all its phases and checks."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any
from uuid import uuid4

import pytest
import schemathesis
from flask import Flask
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import Status, from_schema
from schemathesis.engine.events import FatalError, NonFatalError, ScenarioFinished
from sqlalchemy import update
from sqlalchemy.orm import Session, sessionmaker
from werkzeug.serving import make_server

from callbacks.intake_rows import COLUMNS
from callbacks.models import Case
from callbacks.models_systems import Outcome
from callbacks.privacy import Privacy
from tests.integration.api_world import Api, make_api
from tests.integration.api_world import case as case_row
from tests.integration.office import make_desk

KEY = re.compile(r"[\x21-\x7e]{1,100}")
NUMBER = "0"  # what a generator tries first, so that some requests are about a real case


@pytest.fixture
def api(sessions: sessionmaker[Session], privacy: Privacy) -> Api:
    api = make_api(make_desk(sessions, privacy), limit="1000000 per minute")
    api.desk.close(platform="city-forum")
    with api.desk.ctx.sessions.begin() as session:
        session.execute(update(Case).values(number=NUMBER))
        for seq in (1, 2):
            row = Outcome(case_id=1, callback_id=1, kind="rated", ordinal=seq, payload={}, at=api.desk.now)
            row.seq = seq
            session.add(row)
    return api


@contextmanager
def served(app: Flask) -> Iterator[str]:
    """The application on loopback: over WSGI the generator can't send all of its probes."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def fresh_keys() -> Iterator[None]:
    """Valid keys and ids are made unique: that one is refused for another request isn't a matter of form."""

    @schemathesis.hook
    def before_call(_context: Any, case: schemathesis.Case, _kwargs: Any) -> None:
        headers = case.headers or {}
        if KEY.fullmatch(str(headers.get("Idempotency-Key", ""))):
            headers["Idempotency-Key"] = str(uuid4())
        body = case.body if isinstance(case.body, dict) else {}
        if isinstance(body.get("id"), str) and KEY.fullmatch(body["id"]):
            body["id"] = str(uuid4())

    yield
    schemathesis.hooks.unregister(before_call)


def run(api: Api, url: str) -> tuple[int, list[str]]:
    """How many requests were sent, and what was wrong with the answers."""
    config = SchemathesisConfig.from_dict(
        {
            "seed": 1,
            "workers": 1,
            "auth": {"openapi": {"token": {"bearer": api.token()}}},
            "generation": {"max-examples": 20, "deterministic": True, "database": "none"},
        }
    )
    schema = schemathesis.openapi.from_url(f"{url}/api/v1/openapi.json", config=config)
    sent, wrong = 0, []
    for event in from_schema(schema).execute():
        match event:
            case ScenarioFinished():
                sent += len(event.recorder.interactions)
                wrong += _failures(event)
            case NonFatalError():
                wrong.append(f"{event.label}: {event.info}")
            case FatalError():
                raise event.exception
    return sent, wrong


def _failures(event: ScenarioFinished) -> list[str]:
    return [
        f"{event.recorder.cases[id_].value.as_curl_command()}\n{node.name}: {node.failure_info}"
        for id_, nodes in event.recorder.checks.items()
        for node in nodes
        if node.status is Status.FAILURE
    ]


def test_every_answer_is_as_documented(api: Api, fresh_keys: None):
    with served(api.app) as url:
        sent, wrong = run(api, url)
    assert not wrong, "\n\n".join(dict.fromkeys(wrong))
    assert sent > 200  # of each operation some of every phase


@pytest.fixture
def document(api: Api) -> dict[str, Any]:
    answer = api.app.test_client().get("/api/v1/openapi.json")
    assert answer.status_code == 200 and answer.mimetype == "application/json"
    return answer.get_json()


def test_the_document_names_every_path_and_every_error(api: Api, document: dict[str, Any]):
    routes = {rule.rule for rule in api.app.url_map.iter_rules()} - {"/api/v1/openapi.json"}
    assert set(document["paths"]) == routes
    every = {"200", "401", "403", "422", "429", "500", "503"}
    with_body = every | {"400", "413", "415"}
    told = {
        path: set(operation["responses"])
        for path, operations in document["paths"].items()
        for operation in operations.values()
    }
    assert told == {
        "/api/v1/cases": with_body | {"409"},
        "/api/v1/ratings": with_body | {"404", "409"},
        "/api/v1/codes": with_body | {"404", "409"},
        "/api/v1/outcomes": every,
        "/api/v1/source-counts": with_body | {"404"},
    }


def test_every_reference_leads_somewhere(document: dict[str, Any]):
    found = re.findall(r'"\$ref": "#/components/schemas/(\w+)"', json.dumps(document))
    assert found and set(found) <= set(document["components"]["schemas"])


def test_a_row_is_shown_as_the_file_has_it(document: dict[str, Any]):
    row = document["components"]["schemas"]["CaseRow"]
    assert list(row["properties"]) == list(COLUMNS)
    assert set(row["required"]) == set(case_row())


def test_the_scale_is_the_offices(document: dict[str, Any]):
    rating = document["components"]["schemas"]["SourceRating"]["properties"]["rating"]
    assert rating["enum"] == [1, 2, 3]
    assert rating["description"] == "1 满意; 2 基本满意; 3 不满意"
