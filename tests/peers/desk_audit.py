"""What a page of the desk owes everybody who reads it, told by what is wrong with it.

Sizes are CSS pixels; the clauses are WCAG 2.2's.
"""

from __future__ import annotations

from playwright.sync_api import Page


def faults(page: Page, language: str) -> list[str]:
    """What is wrong with the page as it's shown now."""
    found: list[str] = page.evaluate(_AUDIT, "en" if language == "en" else "zh-Hans")
    return found


_AUDIT = r"""
(language) => {
  const wrong = []
  const all = (selector) => [...document.querySelectorAll(selector)]
  const shown = (selector) => all(selector).filter((node) => node.checkVisibility())
  const name = (node) => node.outerHTML.slice(0, 70).replace(/\s+/g, " ")

  // 1.4.10: nothing is wider than the window.
  if (document.documentElement.scrollWidth > innerWidth) {
    const wide = all("body *").filter((node) => node.getBoundingClientRect().right > innerWidth + 1)
    wrong.push(`wider than the window: ${wide.slice(0, 3).map(name).join(" | ")}`)
  }

  // 1.4.12: a card's label has room for all its lines, else it lies on the next one's.
  for (const node of shown("td[data-label]")) {
    const label = parseFloat(getComputedStyle(node, "::before").height)
    if (label > node.getBoundingClientRect().height + 1) wrong.push(`label without room: ${name(node)}`)
  }

  // 2.5.8: targets of 24 px; links within a sentence or cell are excepted there.
  for (const node of shown("button, select, textarea, input:not([type=hidden]), nav a, .button, summary")) {
    const box = node.getBoundingClientRect()
    if (box.width > 1 && (box.width < 24 || box.height < 24)) wrong.push(`small: ${name(node)}`)
  }

  // 3.3.2, 4.1.2: every field has a label, every button and link a name.
  for (const node of shown("input:not([type=hidden]), select, textarea"))
    if (!node.labels.length && !node.ariaLabel) wrong.push(`no label: ${name(node)}`)
  for (const node of shown("a, button"))
    if (!node.textContent.trim()) wrong.push(`no name: ${name(node)}`)

  // 1.3.1, 2.4.6: one main heading, no level left out; tables with captions and scopes; ids once.
  const levels = shown("h1, h2, h3, h4").map((node) => Number(node.tagName[1]))
  if (levels[0] !== 1 || levels.filter((level) => level === 1).length !== 1) wrong.push(`headings: ${levels}`)
  levels.forEach((level, i) => { if (i && level > levels[i - 1] + 1) wrong.push(`headings: ${levels}`) })
  for (const node of all("th:not([scope])")) wrong.push(`no scope: ${name(node)}`)
  for (const node of all("table")) if (!node.caption) wrong.push(`no caption: ${name(node)}`)
  const ids = all("[id]").map((node) => node.id)
  ids.filter((id, i) => ids.indexOf(id) !== i).forEach((id) => wrong.push(`twice: #${id}`))
  for (const by of ["aria-labelledby", "aria-describedby"])
    for (const node of all(`[${by}]`))
      for (const id of node.getAttribute(by).split(" "))
        if (!document.getElementById(id)) wrong.push(`names nothing: #${id}`)

  // 3.1.1, landmarks.
  if (document.documentElement.lang !== language) wrong.push(`lang: ${document.documentElement.lang}`)
  for (const [selector, number] of [["main", 1], ["body > header", 1], ["body > footer", 1]])
    if (all(selector).length !== number) wrong.push(`landmark: ${selector}`)
  for (const node of shown("nav")) if (!node.ariaLabel) wrong.push(`no name: ${name(node)}`)

  // 1.4.3: text against the nearest ground that is painted.
  const pixel = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true })
  const known = new Map()
  const rgba = (colour) => {
    if (!known.has(colour)) {
      pixel.clearRect(0, 0, 1, 1)
      pixel.fillStyle = colour
      pixel.fillRect(0, 0, 1, 1)
      known.set(colour, [...pixel.getImageData(0, 0, 1, 1).data])
    }
    return known.get(colour)
  }
  const linear = (part) => (part <= 10.31 ? part / 3294.6 : ((part / 255 + 0.055) / 1.055) ** 2.4)
  const light = (colour) => {
    const [x, y, z] = colour.map(linear)
    return 0.2126 * x + 0.7152 * y + 0.0722 * z
  }
  const ground = (node) => {
    for (let at = node; at; at = at.parentElement) {
      const colour = rgba(getComputedStyle(at).backgroundColor)
      if (colour[3] === 255) return colour
    }
    return [255, 255, 255, 255]
  }
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
  const seen = new Set()
  while (texts.nextNode()) {
    const node = texts.currentNode.parentElement
    if (!texts.currentNode.data.trim() || seen.has(node)) continue
    if (!node.checkVisibility() || node.closest("svg, option")) continue
    seen.add(node)
    const style = getComputedStyle(node)
    const [a, b] = [light(rgba(style.color)), light(ground(node))]
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)
    const size = parseFloat(style.fontSize)
    const large = size >= 24 || (size >= 18.66 && style.fontWeight >= 700)
    if (ratio < (large ? 3 : 4.5)) wrong.push(`contrast ${ratio.toFixed(2)}: ${name(node)}`)
  }
  return wrong
}
"""
