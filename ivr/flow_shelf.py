"""The flows that hold: those that came with the program, and a folder of the city's own that go before them.

A version is used once: what a call began with is never another flow of the same version. So each that was
taken stays in the folder `earlier`.
"""

from __future__ import annotations

import os
from pathlib import Path

from callbacks.flow_shelf import FlowOnShelf, FlowRefused
from ivr.flow_data import Flow
from ivr.flow_load import FLOWS, FlowError, load_flow, read_flow
from ivr.flow_svg import svg_of
from ivr.flow_text import text_of
from prompts.catalogue import Catalogue, load_catalogue

__all__ = ["FolderShelf"]


class FolderShelf:
    """Meets `callbacks.flow_shelf.FlowShelf`. Without a folder nothing can be replaced."""

    def __init__(self, folder: Path | None, catalogue: Catalogue | None = None) -> None:
        self._folder = folder
        self._catalogue = catalogue or load_catalogue()

    @property
    def writable(self) -> bool:
        return self._folder is not None

    def load(self, name: str) -> Flow:
        """The flow that holds; FlowError where it is faulty, KeyError where there is none."""
        return load_flow(self._path(name), self._catalogue)

    def stamp(self, name: str) -> tuple[str, int, int]:
        """Another whenever another file holds; cheap."""
        path = self._path(name)
        try:
            found = path.stat()
        except FileNotFoundError:  # restored in this moment
            return str(path), 0, 0
        return str(path), found.st_mtime_ns, found.st_size

    def flows(self) -> list[FlowOnShelf]:
        return [self._shown(path.stem) for path in sorted(FLOWS.glob("*.toml"))]

    def _shown(self, name: str) -> FlowOnShelf:
        own = self._is_own(name)
        try:
            flow = self.load(name)
        except FlowError as error:
            return FlowOnShelf(name, "", 0, own, error.faults)
        return FlowOnShelf(name, flow.version, len(flow.nodes), own)

    def svg(self, name: str) -> str:
        return svg_of(self._sound(name), self._catalogue)

    def text(self, name: str) -> str:
        return text_of(self._sound(name), self._catalogue)

    def source(self, name: str) -> bytes:
        return self._path(name).read_bytes()

    def replace(self, name: str, content: bytes) -> FlowOnShelf:
        shipped = self._shipped(name)
        flow = self._read(name, content)
        if self._folder is None:
            raise FlowRefused([f"{name}.toml:1: there is no folder for own flows"])
        if faults := self._misfits(name, flow, load_flow(shipped, self._catalogue), content):
            raise FlowRefused([f"{name}.toml:1: {fault}" for fault in faults])
        try:
            self._claim(name, flow.version, content)
            _write(self._folder / f"{name}.toml", content)
        except OSError as error:
            raise FlowRefused([f"{error.filename or self._folder}: {error.strerror}"]) from error
        return self._shown(name)

    def restore(self, name: str) -> FlowOnShelf:
        self._shipped(name)
        if self._folder is not None and self._is_own(name):
            (self._folder / f"{name}.toml").unlink(missing_ok=True)
        return self._shown(name)

    def _read(self, name: str, content: bytes) -> Flow:
        try:
            return read_flow(content.decode("utf-8"), f"{name}.toml", self._catalogue)
        except UnicodeDecodeError as error:
            line = content[: error.start].count(b"\n") + 1
            raise FlowRefused([f"{name}.toml:{line}: no UTF-8 text: {error.reason}"]) from error
        except FlowError as error:
            raise FlowRefused(error.faults) from error

    def _misfits(self, name: str, flow: Flow, shipped: Flow, content: bytes) -> list[str]:
        """What keeps a right flow from this one's place."""
        faults = []
        if flow.name != name:
            faults.append(f"name: this is {flow.name!r}, not {name!r}")
        if flow.rates and flow.scale != shipped.scale:
            faults.append(f"scale: {flow.scale!r}; the ratings are stored on {shipped.scale}")
        used = self._earlier(name, flow.version)
        if used.exists() and used.read_bytes() == content:  # the same once more, or back to it
            return faults
        as_shipped = self._shipped(name).read_bytes() == content
        if used.exists() or (flow.version == shipped.version and not as_shipped):
            faults.append(
                f"version: {flow.version!r} was another flow; calls are told apart by it, give a new one"
            )
        return faults

    def _claim(self, name: str, version: str, content: bytes) -> None:
        """Whoever makes the file has the version, also of two at once."""
        path = self._earlier(name, version)
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(f".{os.getpid()}.part")
        _flush(part, content)
        try:
            os.link(part, path)
        except FileExistsError:
            if path.read_bytes() != content:
                raise FlowRefused([f"{name}.toml:1: version: {version!r} was taken in this moment"]) from None
        finally:
            part.unlink()

    def _earlier(self, name: str, version: str) -> Path:
        assert self._folder is not None
        return self._folder / "earlier" / f"{name}.{version}.toml"

    def _is_own(self, name: str) -> bool:
        return self._folder is not None and (self._folder / f"{name}.toml").exists()

    def _path(self, name: str) -> Path:
        shipped = self._shipped(name)
        return self._folder / shipped.name if self._folder is not None and self._is_own(name) else shipped

    @staticmethod
    def _shipped(name: str) -> Path:
        """KeyError for a name that didn't come with the program: no role would hold it."""
        for path in FLOWS.glob("*.toml"):
            if path.stem == name:
                return path
        raise KeyError(name)

    def _sound(self, name: str) -> Flow:
        try:
            return self.load(name)
        except FlowError as error:
            raise FlowRefused(error.faults) from error


def _write(path: Path, content: bytes) -> None:
    """Whole or not at all."""
    part = path.with_suffix(f".{os.getpid()}.part")
    _flush(part, content)
    part.replace(path)


def _flush(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
