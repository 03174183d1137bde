"""Every page of the desk by axe-core: both languages, both colour schemes, 1280 and 360 px wide.

One load a page and language; the window's width and colours change under it. In the dark only the rules that
see colours run again: nothing else differs there.
"""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser

from tests.peers.axe import COLOURS, axe_source, violations
from tests.peers.sights import LOGINS, of
from tests.peers.test_desk_browser import Visitor, desk  # noqa: F401 (fixtures)

_WIDE, _NARROW = {"width": 1280, "height": 800}, {"width": 360, "height": 740}


@pytest.mark.timeout(400)
@pytest.mark.parametrize("language", ["zh", "en"])
def test_no_page_breaks_a_rule_of_wcag(browser: Browser, desk: str, language: str) -> None:  # noqa: F811
    source, wrong = axe_source(), []
    for login in (None, *LOGINS):
        context = browser.new_context(color_scheme="light", reduced_motion="reduce", bypass_csp=True)
        context.add_init_script(path=source)
        visitor = Visitor(context, desk)
        page = visitor.page
        if login is not None:
            visitor.sign_in(language, login)
        for sight in of(login):
            page.emulate_media(color_scheme="light")
            page.goto(desk + sight.address(language))
            for size in (_WIDE, _NARROW):
                page.set_viewport_size(size)  # type: ignore[arg-type]
                wrong += [(sight.name, size["width"], "light", fault) for fault in violations(page)]
            page.emulate_media(color_scheme="dark")
            for size in (_NARROW, _WIDE):
                page.set_viewport_size(size)  # type: ignore[arg-type]
                wrong += [(sight.name, size["width"], "dark", fault) for fault in violations(page, COLOURS)]
            visitor.pardon(sight.status)
        context.close()
        assert visitor.faults == []
    assert wrong == []
