"""What a city sets for the folder into which others put their case files."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from callbacks.settings import Section


class FolderSettings(Section):
    """The watched folder. Whoever writes there writes aside (.part) and renames, or is done within a look."""

    folder: Path | None = Field(
        None, description="case files put here are imported, then moved to done/ or failed/ within it"
    )
    folder_seconds: float = Field(
        10.0, ge=0.5, description="how often it's looked at; a file must stand still over two looks"
    )
