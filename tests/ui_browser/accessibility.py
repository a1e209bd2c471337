"""Whether a page can be used by those who do not see it, or not well: rules of WCAG 2.2 that can be looked up in a page.

Each finding is a line; a page without any has an empty list. Contrast is computed for every text that stands there, from the
colours that the browser has painted: 4.5 to 1, for large text 3 to 1 (1.4.3).
"""

from typing import Any

from playwright.sync_api import Page

FINDINGS = """
() => {
  const found = [];
  const seen = (element) => element.checkVisibility() && !element.closest(".unseen") && element.getClientRects().length;
  const place = (element) => `${element.tagName.toLowerCase()}.${element.className.baseVal ?? element.className} "${element.textContent.slice(0, 30)}"`;

  const nameOf = (element) => {
    const by = element.getAttribute("aria-labelledby");
    const label = element.id && document.querySelector(`label[for="${CSS.escape(element.id)}"]`);
    return (element.getAttribute("aria-label") || (by && document.getElementById(by)?.textContent) || label?.textContent || element.textContent || element.title || "").trim();
  };
  for (const control of document.querySelectorAll("a, button, input, select, textarea, summary, [tabindex='0'], [role='tab'], [role='radio'], dialog"))
    if (seen(control) && !nameOf(control)) found.push(`no name: ${place(control)}`);
  for (const image of document.querySelectorAll("img")) if (!image.hasAttribute("alt")) found.push("an image without alt");
  for (const drawing of document.querySelectorAll("svg")) if (drawing.getAttribute("aria-hidden") !== "true") found.push("a drawing that is read out");
  for (const table of document.querySelectorAll("table")) if (!table.caption?.textContent) found.push("a table without a caption");
  for (const cell of document.querySelectorAll("thead th")) if (cell.scope !== "col") found.push(`no scope: ${place(cell)}`);

  const ids = [...document.querySelectorAll("[id]")].map((element) => element.id);
  if (new Set(ids).size !== ids.length) found.push(`ids twice: ${ids.filter((id, at) => ids.indexOf(id) !== at)}`);
  for (const attribute of ["aria-controls", "aria-labelledby", "aria-describedby", "for"])
    for (const element of document.querySelectorAll(`[${attribute}]`)) if (!document.getElementById(element.getAttribute(attribute))) found.push(`${attribute} points nowhere: ${place(element)}`);

  const levels = [...document.querySelectorAll("h1, h2, h3")].filter(seen).map((heading) => Number(heading.tagName[1]));
  if (levels.filter((level) => level === 1).length !== 1) found.push(`${levels.filter((level) => level === 1).length} first headings`);
  levels.forEach((level, at) => { if (at && level > levels[at - 1] + 1) found.push("a level of headings is left out"); });
  if (!document.querySelector("main")) found.push("no main landmark");
  if (!document.documentElement.lang) found.push("no language");
  if (!document.title) found.push("no title");

  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const luminance = ([red, green, blue]) => {
    const linear = [red, green, blue].map((part) => (part /= 255) <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
  };
  const contrast = (one, other) => {
    const [high, low] = [luminance(one), luminance(other)].sort((a, b) => b - a);
    return (high + 0.05) / (low + 0.05);
  };
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = rgba(getComputedStyle(at).backgroundColor);
      if (colour[3] === 255) return colour;
    }
    return rgba("Canvas");
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const judged = new Set();
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (judged.has(element) || !walker.currentNode.textContent.trim() || !seen(element)) continue;
    judged.add(element);
    const style = getComputedStyle(element);
    const inside = element.closest("svg");
    const colour = rgba(inside ? style.fill : style.color);
    const large = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.66 && style.fontWeight >= 700);
    const ratio = contrast(colour, behind(inside ? inside.parentElement : element));
    if (ratio < (large ? 3 : 4.5)) found.push(`contrast ${ratio.toFixed(2)}: ${place(element)}`);
  }
  for (const control of document.querySelectorAll("input, select, textarea")) {
    if (!seen(control)) continue;
    const ratio = contrast(rgba(getComputedStyle(control).borderTopColor), behind(control.parentElement));
    if (ratio < 3) found.push(`the edge of a control is hard to see, ${ratio.toFixed(2)}: ${place(control)}`);
  }
  return found;
}
"""


def findings(page: Page) -> list[str]:
    """What is wrong with what the page shows now."""
    found: Any = page.evaluate(FINDINGS)
    return list(found)


def focused(page: Page) -> str:
    """The name of what has the focus."""
    return str(
        page.evaluate(
            "(document.activeElement.getAttribute('aria-label') || document.activeElement.textContent || document.activeElement.id).trim()"
        )
    )


def focus_is_visible(page: Page) -> bool:
    """Whether what has the focus is drawn so."""
    return bool(
        page.evaluate(
            "getComputedStyle(document.activeElement).outlineStyle !== 'none' && parseFloat(getComputedStyle(document.activeElement).outlineWidth) >= 2"
        )
    )
