"""axe-core in a page: which rules of WCAG 2.2 A and AA it breaks, each with the node that does.

Its source is read from HUIFANG_NODE_MODULES and runs beside the page's own scripts, which the policy of the
pages (`script-src 'self'`) forbids to all but a test's browser.
"""

from __future__ import annotations

import os
from pathlib import Path

from playwright.sync_api import Page

from tests.peers.peers import need

_SOURCE = Path("axe-core") / "axe.min.js"


def axe_source() -> Path:
    """The file to give to `BrowserContext.add_init_script`; the test is skipped by name without it."""
    path = Path(os.environ.get("HUIFANG_NODE_MODULES", ".ci/node_modules")) / _SOURCE
    need("axe-core", path.exists())
    return path


def violations(page: Page) -> list[str]:
    """Empty when there is none."""
    found: list[str] = page.evaluate(_RUN)
    return found


_RUN = """
async () => {
  const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
  const only = {type: "tag", values: tags}, more = {"target-size": {enabled: true}}  // off by itself
  const found = await axe.run(document, {runOnly: only, rules: more, resultTypes: ["violations"]})
  return found.violations.flatMap(({id, nodes}) => nodes.map((node) => `${id}: ${node.html.slice(0, 160)}`))
}
"""
