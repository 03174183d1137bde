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
_SIZES = {1280: 1400, 360: 1400}  # width → the most of a long page that is shown
_SHOWN = {1280: 400, 360: 150}  # how wide on the sheet
_QUALITY = 60


def take(browser: Browser, address: str, sights: Sequence[Sight]) -> dict[str, Shots]:
    """Each page in each form; one sign-in a language and person, one load a page and width."""
    found: dict[str, Shots] = {sight.name: {} for sight in sights}
    for language in LANGUAGES:
        locale = "zh-CN" if language == "zh" else "en-GB"
        context = browser.new_context(locale=locale, reduced_motion="reduce")
        visitor, signed_in = Visitor(context, address), None
        for sight in sorted(sights, key=lambda each: each.login or ""):
            if sight.login not in (None, signed_in):
                visitor.sign_in(language, sight.login)
                signed_in = sight.login
            for width in _SIZES:
                found[sight.name] |= {
                    (language, scheme, width): shot for scheme, shot in _look(visitor, sight, width, language)
                }
        context.close()
        assert visitor.faults == []
    return found


def _look(visitor: Visitor, sight: Sight, width: int, language: str) -> Iterator[tuple[str, bytes]]:
    """The page as wide as asked, in light and dark."""
    page = visitor.page
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(f"{visitor.desk}{sight.path}" + ("" if sight.login else f"?lang={language}"))
    if sight.press is not None:
        sight.press(page)
    visitor.pardon(sight.status)
    tall = int(page.evaluate("document.documentElement.scrollHeight"))
    page.set_viewport_size({"width": width, "height": max(500, min(tall, _SIZES[width]))})
    for scheme in SCHEMES:
        page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        yield scheme, page.screenshot(type="jpeg", quality=80)


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
            found.append((width // 3, visitor.page.screenshot(type="jpeg", quality=80, full_page=True)))
        context.close()
        assert visitor.faults == []
    return found


def in_order(shots: Shots) -> list[tuple[int, bytes]]:
    """The eight forms as they stand on a sheet, wide ones first, each with how wide."""
    ordered = sorted(shots.items(), key=lambda each: (-each[0][2], each[0][0] == "en", each[0][1] == "dark"))
    return [(_SHOWN[width], shot) for (_, _, width), shot in ordered]


def paste(browser: Browser, pictures: Sequence[tuple[int, bytes]], file: Path) -> None:
    """The pictures side by side as one JPEG."""
    images = "".join(
        f'<img width="{width}" src="data:image/jpeg;base64,{base64.b64encode(shot).decode()}">'
        for width, shot in pictures
    )
    style = "body{margin:8px;display:flex;gap:8px;align-items:start;background:#888;width:max-content}"
    across = sum(width + 8 for width, _ in pictures) + 8
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
