"""The composition root: settings, the wiring of the packages, and the command line (`huifang = app:main`)."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import click
import structlog
from pydantic import Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)
from sqlalchemy import Engine

from callbacks.database import make_engine, make_read_sessions, make_sessions
from callbacks.privacy import KeyFileError, Privacy, load_or_create
from callbacks.schema import upgrade
from callbacks.service.core import Context
from callbacks.settings import DatabaseSettings, OfficeSettings, PolicySettings, Section
from callbacks.stopping import Stop, stop_on_signals
from ivr.settings import CitySettings, VoiceSettings
from scoring.ledger import ScoreLedger
from scoring.settings import ScoringSettings
from sms.settings import SmscSettings, SmsSettings

ENV_PREFIX = "HUIFANG_"
ROLES = ("web", "clock", "voice", "sms")
log = structlog.get_logger(__name__)


class WebSettings(Section):
    """The desk's address. Put a TLS proxy before it where others than this machine may reach it."""

    host: str = "127.0.0.1"
    port: int = Field(8110, ge=0, le=65535)
    threads: int = Field(8, ge=1, le=64)


class ServeSettings(Section):
    """How the roles are run."""

    drain_seconds: float = Field(20.0, ge=0.1, description="how long a role may finish after SIGTERM")
    clock_seconds: float = Field(1.0, ge=0.1, description="how often the clock looks for what is due")
    assess_seconds: float = Field(60.0, ge=1.0, description="how often the month's scores are computed")
    poll_seconds: float = Field(0.5, ge=0.05, description="how often a worker asks for work")


class Settings(BaseSettings):
    """All of a city's settings: from `--config FILE.toml`, and over it from `HUIFANG_SECTION__KEY`."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True, nested_model_default_partial_update=True
    )
    file: ClassVar[Path | None] = None

    office: OfficeSettings
    database: DatabaseSettings = DatabaseSettings()
    policy: PolicySettings = PolicySettings()
    voice: VoiceSettings = VoiceSettings()
    sms: SmsSettings = SmsSettings()
    scoring: ScoringSettings = ScoringSettings()
    web: WebSettings = WebSettings()
    serve: ServeSettings = ServeSettings()
    city: CitySettings = CitySettings()
    smsc: SmscSettings = SmscSettings()
    recordings: Path | None = Field(None, description="a folder of recordings that override speech")
    language: str = Field("zh-CN", pattern="^(zh-CN|en)$", description="of prompts and texts to citizens")
    demo: bool = Field(False, description="the demo's preset; only for a trunk on loopback")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        if cls.file is None:
            return (init_settings, env_settings)
        return (init_settings, env_settings, TomlConfigSettingsSource(settings_cls, cls.file))


class ConfigError(click.ClickException):
    """The configuration can't be used; each line names file, key and what would be right."""

    exit_code = 2


def load_settings(path: Path | None) -> Settings:
    """The settings of `path` and the environment; ConfigError names what is wrong."""
    if path is not None and not path.is_file():
        raise ConfigError(f"{path}: no such file; write one after deploy/huifang.toml")
    source = type("Settings", (Settings,), {"file": path})
    try:
        return source()  # type: ignore[no-any-return]
    except ValidationError as error:
        raise ConfigError("\n".join(_fault(path, dict(each)) for each in error.errors())) from None
    except ValueError as error:  # TOML that isn't
        raise ConfigError(f"{path}: {error}") from None


def _fault(path: Path | None, error: Mapping[str, Any]) -> str:
    """`huifang.toml: office.area_code: field required; with its leading 0, e.g. 0379`."""
    location = [str(part) for part in error["loc"]]
    variable = ENV_PREFIX + "__".join(location).upper()
    place = variable if variable in os.environ else f"{path or 'no --config file'}: {'.'.join(location)}"
    hint = _description(location)
    return f"{place}: {error['msg']}" + (f"; {hint}" if hint else "")


def _description(location: list[str]) -> str | None:
    model: Any = Settings
    for depth, name in enumerate(location):
        field = getattr(model, "model_fields", {}).get(name)
        if field is None:
            return None
        if depth == len(location) - 1:
            return field.description  # type: ignore[no-any-return]
        model = field.annotation
    return None


def configure_logging() -> None:
    """One line an event on stderr: for people on a terminal, JSON elsewhere."""
    renderer: Any = (
        structlog.dev.ConsoleRenderer() if sys.stderr.isatty() else structlog.processors.JSONRenderer(ensure_ascii=False)
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            getattr(logging, os.environ.get("HUIFANG_LOG", "INFO").upper(), logging.INFO)
        ),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


@dataclass(frozen=True)
class Office:
    """Everything that a role or a command works with; `close` it."""

    settings: Settings
    engine: Engine
    privacy: Privacy
    context: Context

    def close(self) -> None:
        self.engine.dispose()


def open_office(settings: Settings) -> Office:
    """Connects to the database, brings its tables up to date, and wires the scores to the callbacks."""
    if settings.database.url.startswith("sqlite:///"):
        Path(settings.database.url.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
    engine = make_engine(settings.database.url)
    upgrade(engine)
    try:
        privacy = load_or_create(settings.database.key_file)
    except KeyFileError as error:
        raise ConfigError(str(error)) from None
    context = Context(
        sessions=make_sessions(engine),
        policy=settings.policy,
        office=settings.office,
        privacy=privacy,
        subscribers=(ScoreLedger(settings.policy.windows.timezone),),
    )
    return Office(settings, engine, privacy, context)


def web_secret(privacy: Privacy) -> bytes:
    """The key that signs the desk's cookies, derived from the key file."""
    return hmac.new(privacy.index_key, b"desk cookies", hashlib.sha256).digest()
