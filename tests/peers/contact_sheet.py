"""Contact sheets: a page in its eight forms on one picture, so that one that a change spoils is seen."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from pathlib import Path

from playwright.sync_api import Browser

from tests.peers.test_desk_browser import Visitor

Shots = dict[tuple[str, str, int], bytes]  # (language, colours, width) → JPEG

LANGUAGES = ("zh", "en")
SCHEMES = ("light", "dark")
_SIZES = {1280: 1400, 360: 1400}  # width → the most of a long page that is shown
_SHOWN = {1280: 400, 360: 150}  # how wide on the sheet
_QUALITY = 60


def take(
    browser: Browser, address: str, login: str | None, sights: Sequence[tuple[str, str]]
) -> dict[str, Shots]:
    """Each page in each form; one sign-in a language, one load a page and width."""
    found: dict[str, Shots] = {sight: {} for sight, _ in sights}
    for language in LANGUAGES:
        locale = "zh-CN" if language == "zh" else "en-GB"
        context = browser.new_context(locale=locale, reduced_motion="reduce")
        visitor = Visitor(context, address)
        if login is not None:
            visitor.sign_in(language, login)
        for sight, path in sights:
            for width, most in _SIZES.items():
                visitor.page.set_viewport_size({"width": width, "height": 800})
                visitor.page.goto(address + path)
                tall = int(visitor.page.evaluate("document.documentElement.scrollHeight"))
                visitor.page.set_viewport_size({"width": width, "height": max(500, min(tall, most))})
                for scheme in SCHEMES:
                    visitor.page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
                    shot = visitor.page.screenshot(type="jpeg", quality=80)
                    found[sight][language, scheme, width] = shot
        context.close()
        assert visitor.faults == []
    return found


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


def write_index(folder: Path, sights: Sequence[tuple[str, str]]) -> None:
    """docs/screenshots/README.md: what each sheet shows."""
    lines = [
        "# The desk in pictures",
        "",
        "`make screenshots` takes them anew, from the tests' invented office. Each sheet: wide (1280 px) in",
        "Chinese, light and dark, and in English, light and dark; then narrow (360 px) the same.",
        "",
        *(f"- [{sight}](sheets/{sight}.jpg) `{path}`" for sight, path in sights),
        "",
    ]
    (folder / "README.md").write_text("\n".join(lines), encoding="utf-8")
