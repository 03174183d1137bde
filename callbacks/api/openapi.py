"""The OpenAPI 3.1 document, made from the operations and their models: what isn't in them isn't served.

Pydantic writes the schemas in JSON Schema 2020-12, OpenAPI 3.1's own dialect: they're taken as they are.
"""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from callbacks.api.deps import Operation
from callbacks.api.problems import MEDIA_TYPE
from callbacks.api.requests import KEY
from callbacks.api.schemas import ProblemBody
from callbacks.intake_rows import COLUMNS, REQUIRED
from callbacks.rating import Scale

VERSION = "1"
_EVERY = (401, 403, 422, 429, 500, 503)  # what every operation may answer
_WORTH_A_RETRY = (429, 503)
_WITH_BODY = (400, 413, 415)
_REF = "#/components/schemas/{model}"
_MEANINGS = {
    400: "the body isn't JSON, or the Idempotency-Key isn't one",
    401: "no token, or one that isn't in force",
    403: "the token hasn't the scope",
    404: "no such case that is the caller's",
    409: "the same request is under way, or nothing is asked of the case",
    413: "the body is too large",
    415: "the body isn't application/json",
    422: "not of the documented form, or a key that was used for another request",
    429: "too many requests by this token",
    500: "a fault of the server",
    503: "the database is away",
}
_FLAGS = frozenset({"enterprise", "sensitive", "complex"})
_LISTS = frozenset({"assisting_units", "citizen_phone"})


def document(operations: Iterable[Operation], prefix: str, scale: Scale) -> dict[str, Any]:
    """The document for the office's scale."""
    operations = tuple(operations)
    schemas = _schemas(operations)
    schemas["CaseRow"] = _case_row()
    schemas["SourceRating"]["properties"]["rating"] |= {
        "enum": sorted(scale.labels),
        "description": "; ".join(f"{value} {label}" for value, label in sorted(scale.labels.items())),
    }
    paths: dict[str, Any] = {}
    for operation in operations:
        paths.setdefault(f"{prefix}{operation.path}", {})[operation.method.lower()] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Huifang 回访",
            "version": VERSION,
            "description": "Cases in, citizens' ratings in, what came of the cases out.",
        },
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _schemas(operations: Iterable[Operation]) -> dict[str, Any]:
    models: list[type[BaseModel]] = [ProblemBody]
    for operation in operations:
        models += [model for model in (operation.body, operation.answer) if model is not None]
    _, found = models_json_schema([(model, "validation") for model in models], ref_template=_REF)
    schemas: dict[str, Any] = found["$defs"]
    return schemas


def _operation(operation: Operation) -> dict[str, Any]:
    statuses = {*_EVERY, *operation.statuses, *(_WITH_BODY if operation.body else ())}
    told: dict[str, Any] = {
        "operationId": operation.id,
        "summary": operation.summary,
        "description": operation.description,
        "security": [{"token": [operation.scope.value]}],
        "responses": {
            "200": {"description": "done", "content": _content(operation.answer, "application/json")},
            **{str(status): _problem(status) for status in sorted(statuses)},
        },
    }
    if operation.body is not None:
        told["requestBody"] = {"required": True, "content": _content(operation.body, "application/json")}
    if parameters := [*_query(operation), *([_key()] if operation.keyed else [])]:
        told["parameters"] = parameters
    return told


def _problem(status: int) -> dict[str, Any]:
    title = HTTPStatus(status).phrase
    told: dict[str, Any] = {
        "description": f"{title}: {_MEANINGS[status]}",
        "content": _content(ProblemBody, MEDIA_TYPE),
    }
    if status in _WORTH_A_RETRY:
        told["headers"] = {"Retry-After": {"description": "seconds", "schema": {"type": "integer"}}}
    return told


def _content(model: type[BaseModel], media_type: str) -> dict[str, Any]:
    return {media_type: {"schema": {"$ref": _REF.format(model=model.__name__)}}}


def _query(operation: Operation) -> list[dict[str, Any]]:
    if operation.query is None:
        return []
    properties = operation.query.model_json_schema()["properties"]
    return [
        {"name": name, "in": "query", "required": False, "schema": schema}
        for name, schema in properties.items()
    ]


def _key() -> dict[str, Any]:
    return {
        "name": "Idempotency-Key",
        "in": "header",
        "required": False,
        "description": "a request sent again with its key gets its first answer, for a week",
        "schema": {"type": "string", "pattern": KEY},
    }


def _case_row() -> dict[str, Any]:
    """A row for whoever writes a client. Requests aren't refused by it: a row is, by itself."""
    return {
        "title": "CaseRow",
        "description": "The columns of a case file. Times: ISO 8601, the office's where no zone is given.",
        "type": "object",
        "required": list(REQUIRED),
        "properties": {name: _column(name) for name in COLUMNS},
        "additionalProperties": False,
    }


def _column(name: str) -> dict[str, Any]:
    if name in _FLAGS:
        return {"type": ["boolean", "string", "null"]}
    if name in _LISTS:
        return {"type": ["array", "string", "null"], "items": {"type": "string"}}
    if name == "closing_no":
        return {"type": ["integer", "string", "null"], "minimum": 1, "maximum": 999}
    return {"type": "string"} if name in REQUIRED else {"type": ["string", "null"]}
