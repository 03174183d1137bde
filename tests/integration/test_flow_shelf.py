"""The flows that hold: the program's, and a folder of the city's own; what is refused changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from callbacks.flow_shelf import FlowOnShelf, FlowRefused, FlowShelf
from ivr.carried_call import Script
from ivr.flow_events import Prompt
from ivr.flow_load import FLOWS, prompt_version
from ivr.flow_shelf import FolderShelf
from ivr.media.audio import Audio
from ivr.script_watch import ScriptWatch
from prompts.catalogue import load_catalogue

NAME = "inbound_110"
SHIPPED = (FLOWS / f"{NAME}.toml").read_bytes()


def version(number: str, wait: bytes = b"wait = 45.0") -> bytes:
    changed = SHIPPED.replace(b'version = "1"', f'version = "{number}"'.encode())
    return changed.replace(b"wait = 45.0", wait)


@pytest.fixture
def shelf(tmp_path: Path) -> FolderShelf:
    return FolderShelf(tmp_path / "flows")


def kept(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_it_meets_the_desks_port(shelf: FolderShelf) -> None:
    port: FlowShelf = shelf
    assert [flow.name for flow in port.flows()] == ["callback_line", "inbound_110", "satisfaction_survey"]
    assert not any(flow.own or flow.faults for flow in port.flows())
    assert "[operators]" in port.text(NAME) and port.svg(NAME).startswith("<svg")
    assert port.source(NAME) == SHIPPED and port.writable


def test_another_takes_its_place_and_goes_again(shelf: FolderShelf) -> None:
    assert shelf.replace(NAME, version("1a", b"wait = 40.0")) == FlowOnShelf(NAME, "1a", 6, own=True)
    assert shelf.load(NAME).nodes["operators"].wait == 40.0
    shelf.replace(NAME, version("1b"))
    assert shelf.replace(NAME, version("1a", b"wait = 40.0")).version == "1a"  # back to an earlier one
    assert shelf.restore(NAME) == FlowOnShelf(NAME, "1", 6, own=False)
    assert shelf.restore(NAME).version == "1"  # twice is once
    assert shelf.replace(NAME, SHIPPED).version == "1"  # the program's own as the city's own


REFUSED = [
    # what is brought, and what is said of it
    (b"\xff\xfe", "inbound_110.toml:1: no UTF-8 text"),
    (b"name = 'a'\n\nb\xe9\n", "inbound_110.toml:3: no UTF-8 text"),
    (b"", "inbound_110.toml:1: name: Field required"),
    (version("2", b"wait = 121.0"), "waits 121.0 s"),
    (version("2").replace(b'end = "transferred"', b'next = "operators"'), "a loop that goes on"),
    ((FLOWS / "callback_line.toml").read_bytes(), "name: this is 'callback_line', not 'inbound_110'"),
    (version("1", b"wait = 44.0"), "version: '1' was another flow"),  # the program's own version
    (version("1a", b"wait = 44.0"), "version: '1a' was another flow"),  # an earlier one of the city's
]


@pytest.mark.parametrize(("content", "fault"), REFUSED)
def test_what_is_refused_changes_nothing(
    shelf: FolderShelf, tmp_path: Path, content: bytes, fault: str
) -> None:
    shelf.replace(NAME, version("1a", b"wait = 40.0"))
    before = kept(tmp_path)
    with pytest.raises(FlowRefused) as error:
        shelf.replace(NAME, content)
    assert any(fault in each for each in error.value.faults)
    assert all(each.startswith("inbound_110.toml:") for each in error.value.faults)
    assert kept(tmp_path) == before and shelf.load(NAME).version == "1a"


def test_a_survey_on_another_scale_is_refused(shelf: FolderShelf) -> None:
    """Its ratings would be stored as something else."""
    survey = (FLOWS / "satisfaction_survey.toml").read_text()
    other = survey.replace('scale = "cn3"', 'scale = "cn5"').replace('version = "3"', 'version = "4"')
    other = other.replace(
        '3 = { rating = 3, next = "read_back" }',
        '3 = { rating = 3, next = "read_back" }\n'
        '4 = { rating = 4, next = "read_back" }\n5 = { rating = 5, next = "read_back" }',
    )
    other = other.replace(
        '3 = { rating = 3, next = "q_resolved" }',
        '3 = { rating = 3, next = "q_resolved" }\n'
        '4 = { rating = 4, next = "q_resolved" }\n5 = { rating = 5, next = "q_resolved" }',
    )
    with pytest.raises(FlowRefused, match="scale: 'cn5'; the ratings are stored on cn3"):
        shelf.replace("satisfaction_survey", other.encode())


def test_a_file_that_was_spoiled_by_hand_is_named(shelf: FolderShelf, tmp_path: Path) -> None:
    shelf.replace(NAME, version("1a"))
    (tmp_path / "flows" / f"{NAME}.toml").write_bytes(b"name = ")
    flow = next(each for each in shelf.flows() if each.name == NAME)
    assert flow.own and flow.nodes == 0 and "inbound_110.toml:1: Invalid value" in flow.faults[0]
    with pytest.raises(FlowRefused):
        shelf.svg(NAME)
    assert shelf.replace(NAME, version("1c")).version == "1c"  # and replaced


def test_the_telephone_takes_up_what_holds(shelf: FolderShelf, tmp_path: Path) -> None:
    """The very same script as long as nothing changed, another once it stands there, never a faulty one."""
    catalogue = load_catalogue()
    first = Script(shelf.load(NAME), Silent(), prompt_version(shelf.load(NAME), catalogue, "zh-CN"))
    look = ScriptWatch(shelf, NAME, catalogue, "zh-CN")
    assert look(first) is first
    shelf.replace(NAME, version("1a").replace(b'say = "inbound_through"', b'say = "inbound_hold"'))
    second = look(first)
    assert (first.flow.version, second.flow.version) == ("1", "1a")
    assert second.prompts is first.prompts and second.prompt_version != first.prompt_version
    assert look(second) is second
    (tmp_path / "flows" / f"{NAME}.toml").write_bytes(b"name = ")
    assert look(second) is second
    shelf.restore(NAME)
    assert look(second).flow == first.flow


class Silent:
    """Prompts that aren't asked for."""

    def audio(self, prompts: Sequence[Prompt]) -> Audio:
        return Audio.silence(0.02)


def test_names_that_there_are_not(shelf: FolderShelf) -> None:
    for name in ("nix", "../inbound_110", "", "earlier"):
        for ask in (shelf.svg, shelf.text, shelf.source, shelf.restore, shelf.load):
            with pytest.raises(KeyError):
                ask(name)
        with pytest.raises(KeyError):
            shelf.replace(name, SHIPPED)


def test_a_folder_that_cant_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "flows").write_text("no folder")
    shelf = FolderShelf(tmp_path / "flows")
    with pytest.raises(FlowRefused, match="flows"):
        shelf.replace(NAME, version("2"))
    assert shelf.restore(NAME).version == "1"


def test_without_a_folder_nothing_is_replaced() -> None:
    shelf = FolderShelf(None)
    assert not shelf.writable
    with pytest.raises(FlowRefused, match="no folder"):
        shelf.replace(NAME, version("2"))
