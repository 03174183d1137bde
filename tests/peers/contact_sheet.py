"""Contact sheets: a page in its eight forms on one picture, so that one that a change spoils is seen."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from pathlib import Path

from playwright.sync_api import Browser

from tests.peers.sights import Sight
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


def paste(browser: Browser, shots: Shots, file: Path) -> None:
    """The eight pictures side by side, wide ones first, as one JPEG."""
    ordered = sorted(shots.items(), key=lambda each: (-each[0][2], each[0][0] == "en", each[0][1] == "dark"))
    images = "".join(
        f'<img width="{_SHOWN[width]}" src="data:image/jpeg;base64,{base64.b64encode(shot).decode()}">'
        for (_, _, width), shot in ordered
    )
    style = "body{margin:8px;display:flex;gap:8px;align-items:start;background:#888;width:max-content}"
    page = browser.new_page(viewport={"width": 4 * 400 + 4 * 150 + 9 * 8, "height": 300})
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
        "",
    ]
    (folder / "README.md").write_text("\n".join(lines), encoding="utf-8")


def _whose(sight: Sight) -> str:
    who = f", seen by `{sight.login}`" if sight.login not in (None, "head") else ""
    return f"`{sight.path}`" + who + (", after a button" if sight.press is not None else "")
