"""The bulletin in a real browser, printed to PDF as an office does, and on its page."""

from __future__ import annotations

import re

from playwright.sync_api import Browser

from tests.peers.test_desk_browser import Visitor, desk  # noqa: F401 (fixtures)


def test_the_bulletin_prints_as_a_pdf_of_several_pages(browser: Browser, desk: str) -> None:  # noqa: F811
    context = browser.new_context(viewport={"width": 1280, "height": 800}, locale="zh-CN")
    visitor = Visitor(context, desk)
    visitor.sign_in("zh", "head")
    page = visitor.page
    page.goto(f"{desk}/months")
    page.get_by_role("link", name="2026-09").click()
    page.get_by_role("link", name="排名通报").click()
    text = page.locator("body").inner_text()
    for said in ("红榜", "黑榜", "县（市、区）", "市直部门", "样本不足或无评价", "审计链的末端", "5e5e5e"):
        assert said in text, said
    assert "草稿" not in text
    assert not re.search(r"1[3-9]\d{9}|\*{4}", text)  # no number, masked or not
    pdf = page.pdf(prefer_css_page_size=True)
    assert pdf.startswith(b"%PDF-")
    assert len(re.findall(rb"/Type\s*/Page\b", pdf)) >= 2
    box = re.search(rb"/MediaBox\s*\[\s*0\s+0\s+([\d.]+)\s+([\d.]+)", pdf)
    assert box is not None
    assert abs(min(float(side) for side in box.groups()) - 595) < 2  # A4

    page.emulate_media(media="print")
    assert not page.get_by_text("回到月份").is_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.goto(f"{desk}/months/2026-10/bulletin")
    assert "草稿" in page.locator(".draft").inner_text()
    context.close()
    assert visitor.faults == []
