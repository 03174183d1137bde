"""One history for all tables. `callbacks.schema.upgrade` runs it; there is no alembic.ini."""

from __future__ import annotations
