"""Contact sheets: a page in its eight forms on one picture, so that one that a change spoils is seen."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from pathlib import Path

from playwright.sync_api import Browser

from tests.peers.sights import PRINTED, Sight
from tests.peers.test_desk_browser import Visitor

Shots = dict[tuple[str, str, int], bytes]  # (language, colours, width) → JPEG

LANGUAGES = ("zh", "en")
SCHEMES = ("light", "dark")
_SIZES = {1280: 1300, 360: 1300}  # width → the most of a long page that is shown
_SHOWN = {1280: 352, 360: 132}  # how wide on the sheet
_QUALITY = 45


def take(browser: Browser, address: str, sights: Sequence[Sight]) -> dict[str, Shots]:
    """Each page in each form; one sign-in a language and person, one load a page and width."""
    found: dict[str, Shots] = {sight.name: {} for sight in sights}
    for language in LANGUAGES:
        for login in dict.fromkeys(sight.login for sight in sights):
            context = browser.new_context(
                locale="zh-CN" if language == "zh" else "en-GB", reduced_motion="reduce"
            )
            visitor = Visitor(context, address)
            if login is not None:
                visitor.sign_in(language, login)
            for sight in sights:
                if sight.login == login:
                    found[sight.name] |= dict(_looks(visitor, sight, language))
            context.close()
            assert visitor.faults == []
    return found


def _looks(visitor: Visitor, sight: Sight, language: str) -> Iterator[tuple[tuple[str, str, int], bytes]]:
    """The page wide and narrow, each in light and dark."""
    page = visitor.page
    for width, most in _SIZES.items():
        page.set_viewport_size({"width": width, "height": 800})
        page.goto(visitor.desk + sight.address(language))
        if sight.press is not None:
            sight.press(page)
        visitor.pardon(sight.status)
        tall = int(page.evaluate("document.documentElement.scrollHeight"))
        page.set_viewport_size({"width": width, "height": max(500, min(tall, most))})
        for scheme in SCHEMES:
            page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
            yield (language, scheme, width), page.screenshot(type="jpeg", quality=80)


def take_printed(browser: Browser, address: str) -> list[tuple[int, bytes]]:
    """What the office prints, as it comes on paper, Chinese first; each with how wide on the sheet."""
    found = []
    for language in LANGUAGES:
        context = browser.new_context(locale="zh-CN" if language == "zh" else "en-GB")
        visitor = Visitor(context, address)
        visitor.sign_in(language, "head")
        visitor.page.emulate_media(media="print", color_scheme="light")
        for sight, width in PRINTED:
            visitor.page.set_viewport_size({"width": width, "height": 500})
            visitor.page.goto(address + sight.path)
            found.append((width // 2, visitor.page.screenshot(type="jpeg", quality=80, full_page=True)))
        context.close()
        assert visitor.faults == []
    return found


def in_order(shots: Shots) -> list[tuple[int, bytes]]:
    """The eight forms as they stand on a sheet, wide ones first, each with how wide."""
    ordered = sorted(shots.items(), key=lambda each: (-each[0][2], each[0][0] == "en", each[0][1] == "dark"))
    return [(_SHOWN[width], shot) for (_, _, width), shot in ordered]


def paste(browser: Browser, pictures: Sequence[tuple[int, bytes]], file: Path, margin: int = 0) -> None:
    """The pictures side by side as one JPEG, each with a paper's margin where it's paper."""
    images = "".join(
        f'<img width="{width}" src="data:image/jpeg;base64,{base64.b64encode(shot).decode()}">'
        for width, shot in pictures
    )
    style = (
        "body{margin:8px;display:flex;gap:8px;align-items:start;background:#888;width:max-content}"
        f"img{{padding:{margin}px;background:#fff}}"
    )
    across = sum(width + 2 * margin + 8 for width, _ in pictures) + 8
    page = browser.new_page(viewport={"width": across, "height": 300})
    page.set_content(f"<!doctype html><style>{style}</style>{images}")
    page.wait_for_function("[...document.images].every((image) => image.complete)")
    page.screenshot(path=file, type="jpeg", quality=_QUALITY, full_page=True)
    page.close()


def write_index(folder: Path, sights: Sequence[Sight]) -> None:
    """docs/screenshots/README.md: what each sheet shows."""
    lines = [
        "# The desk in pictures",
        "",
        "`make screenshots` takes them anew, from the tests' invented office. Each sheet: wide (1280 px) in",
        "Chinese, light and dark, and in English, light and dark; then narrow (360 px) the same.",
        "",
        *(f"- [{sight.name}](sheets/{sight.name}.jpg) {_whose(sight)}" for sight in sights),
        "- [printed](sheets/printed.jpg): the notices and a published bulletin, as on paper",
        "",
    ]
    (folder / "README.md").write_text("\n".join(lines), encoding="utf-8")


def _whose(sight: Sight) -> str:
    who = f", seen by `{sight.login}`" if sight.login not in (None, "head") else ""
    return f"`{sight.path}`" + who + (", after a button" if sight.press is not None else "")
