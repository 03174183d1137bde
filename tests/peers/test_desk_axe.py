"""Every page of the desk by axe-core: both languages, both colour schemes, 1280 and 360 px wide.

One load a page and language; the window's width and colours change under it.
"""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser

from tests.peers.axe import axe_source, violations
from tests.peers.sights import LOGINS, of
from tests.peers.test_desk_browser import Visitor, desk  # noqa: F401 (fixtures)

_WIDE, _NARROW = {"width": 1280, "height": 800}, {"width": 360, "height": 740}
# Each width in both schemes, once: what a language changes are words, whose colours and sizes are the same.
FORMS = {"zh": (("light", _WIDE), ("dark", _NARROW)), "en": (("dark", _WIDE), ("light", _NARROW))}


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
            for number, (scheme, size) in enumerate(FORMS[language]):
                page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
                page.set_viewport_size(size)  # type: ignore[arg-type]
                if number == 0:
                    page.goto(desk + sight.address(language))
                wrong += [(sight.name, size["width"], scheme, fault) for fault in violations(page)]
            visitor.pardon(sight.status)
        context.close()
        assert visitor.faults == []
    assert wrong == []
