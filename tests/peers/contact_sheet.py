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
_SHOWN = {1280: 600, 360: 170}  # how wide on the sheet
_QUALITY = 0.5
_GAP = 8
# Pictures that the browser draws on one, as it alone makes WebP: half of a JPEG's octets.
_PASTE = """async ({rows, gap, margin, quality}) => {
  const load = source => new Promise(done => {
    const image = new Image();
    image.onload = () => done(image);
    image.src = "data:image/jpeg;base64," + source;
  });
  const placed = [];
  let width = 0, y = gap;
  for (const row of rows) {
    let x = gap, tallest = 0;
    for (const [wide, source] of row) {
      const image = await load(source), high = Math.round(image.height * wide / image.width);
      placed.push([image, x, y, wide, high]);
      x += wide + 2 * margin + gap;
      tallest = Math.max(tallest, high + 2 * margin);
    }
    width = Math.max(width, x);
    y += tallest + gap;
  }
  const sheet = new OffscreenCanvas(width, y), brush = sheet.getContext("2d");
  brush.imageSmoothingQuality = "high";
  brush.fillStyle = "#888";
  brush.fillRect(0, 0, width, y);
  brush.fillStyle = "#fff";
  for (const [image, left, top, wide, high] of placed) {
    brush.fillRect(left, top, wide + 2 * margin, high + 2 * margin);
    brush.drawImage(image, left + margin, top + margin, wide, high);
  }
  const file = await sheet.convertToBlob({type: "image/webp", quality});
  const octets = new Uint8Array(await file.arrayBuffer());
  return btoa(Array.from(octets, octet => String.fromCharCode(octet)).join(""));
}"""


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


def take_printed(browser: Browser, address: str) -> list[list[tuple[int, bytes]]]:
    """What the office prints, as it comes on paper, a language a row; each with how wide on the sheet."""
    found: list[list[tuple[int, bytes]]] = []
    for language in LANGUAGES:
        found.append([])
        context = browser.new_context(locale="zh-CN" if language == "zh" else "en-GB")
        visitor = Visitor(context, address)
        visitor.sign_in(language, "head")
        visitor.page.emulate_media(media="print", color_scheme="light")
        for sight, width in PRINTED:
            visitor.page.set_viewport_size({"width": width, "height": 500})
            visitor.page.goto(address + sight.path)
            found[-1].append((width // 2, visitor.page.screenshot(type="jpeg", quality=80, full_page=True)))
        context.close()
        assert visitor.faults == []
    return found


def in_order(shots: Shots) -> list[list[tuple[int, bytes]]]:
    """The eight forms as they stand on a sheet: a language a row, wide ones first; each with how wide."""
    return [
        [(_SHOWN[width], shots[language, scheme, width]) for width in _SIZES for scheme in SCHEMES]
        for language in LANGUAGES
    ]


def paste(browser: Browser, rows: Sequence[Sequence[tuple[int, bytes]]], file: Path, margin: int = 0) -> None:
    """Rows of pictures as one WebP, each with a paper's margin where it's paper."""
    pictures = [[(width, base64.b64encode(shot).decode()) for width, shot in row] for row in rows]
    page = browser.new_page()
    told = page.evaluate(_PASTE, {"rows": pictures, "gap": _GAP, "margin": margin, "quality": _QUALITY})
    file.write_bytes(base64.b64decode(told))
    page.close()


def write_index(folder: Path, sights: Sequence[Sight]) -> None:
    """docs/screenshots/README.md: what each sheet shows."""
    lines = [
        "# The desk in pictures",
        "",
        "`make screenshots` takes them anew, from the tests' invented office. Each sheet: in Chinese",
        "wide (1280 px), light and dark, then narrow (360 px), light and dark; below it the same in English.",
        "",
        *(f"- [{sight.name}](sheets/{sight.name}.webp) {_whose(sight)}" for sight in sights),
        "- [printed](sheets/printed.webp): the notices and a published bulletin, as on paper",
        "",
    ]
    (folder / "README.md").write_text("\n".join(lines), encoding="utf-8")


def _whose(sight: Sight) -> str:
    who = f", seen by `{sight.login}`" if sight.login not in (None, "head") else ""
    return f"`{sight.path}`" + who + (", after a button" if sight.press is not None else "")
