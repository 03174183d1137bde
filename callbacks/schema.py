"""Brings a database's tables to this version, and makes the lines that trunks have."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, MetaData, text

import callbacks.models_inbound
import callbacks.models_office
import callbacks.models_systems
import callbacks.models_trunks
import callbacks.models_voice  # noqa: F401 (their tables, too)
from callbacks.models import Base

_MIGRATION_LOCK = 1100110


def alembic_config(connection: Connection, metadata: MetaData | None = None) -> Config:
    """Alembic's configuration for one connection."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    config.attributes["metadata"] = metadata if metadata is not None else Base.metadata
    return config


def upgrade(engine: Engine) -> None:
    """Runs the migrations that are missing; safe when several roles start at once."""
    if is_current(engine):
        return
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})"))
        command.upgrade(alembic_config(connection), "head")


def is_current(engine: Engine) -> bool:
    """Whether the database is at this version's newest migration."""
    with engine.connect() as connection:
        heads = ScriptDirectory.from_config(alembic_config(connection)).get_heads()
        return set(MigrationContext.configure(connection).get_current_heads()) == set(heads)
