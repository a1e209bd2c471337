// Tables that change in place: rows are known by a key, and only what differs is drawn again.

import { h } from "./dom.js";
import { count } from "./format.js";

/**
 * A table with a caption for those who listen.
 *
 * columns: { title, cell(row) -> text or node, kind: "number" | "wrap" | "", head: whether it names the row }
 * key(row): what makes it this row. empty: what stands there without rows.
 */
export function table({ caption, columns, key, empty, faded = () => false, chosen = () => false }) {
  const body = h("tbody");
  const grid = h(
    "table",
    {},
    h("caption", { class: "unseen" }, caption),
    h("thead", {}, h("tr", {}, columns.map((column) => h("th", { scope: "col", class: column.kind, title: column.hint }, column.title)))),
    body,
  );
  const scroll = h("div", { class: "scroll", role: "region", "aria-label": caption, tabindex: "0" }, grid);
  const element = h("div", {}, scroll, empty);
  const known = new Map();

  function update(rows) {
    const present = new Set(rows.map((row) => String(key(row))));
    for (const [old, line] of known) {
      if (present.has(old)) continue;
      line.element.remove();
      known.delete(old);
    }
    let last = null;
    for (const row of rows) {
      const line = known.get(String(key(row))) ?? create(row);
      line.show(row);
      const next = last === null ? body.firstChild : last.nextSibling;
      if (next !== line.element) body.insertBefore(line.element, next);
      last = line.element;
    }
    scroll.hidden = !rows.length;
    if (empty) empty.hidden = rows.length > 0;
  }

  function create(row) {
    const cells = columns.map((column) => h(column.head ? "th" : "td", { class: column.kind, scope: column.head ? "row" : null }));
    const element = h("tr", {}, cells);
    const signs = columns.map(() => null);
    const line = {
      element,
      show(now) {
        element.className = [faded(now) ? "faded" : "", chosen(now) ? "chosen" : ""].join(" ").trim();
        columns.forEach((column, at) => {
          const sign = column.sign ? column.sign(now) : null;
          if (sign !== null && sign === signs[at]) return;
          const content = column.cell(now);
          const fresh = sign ?? (typeof content === "string" ? content : null);
          if (fresh !== null && fresh === signs[at]) return;
          signs[at] = fresh;
          refill(cells[at], content);
        });
      },
    };
    known.set(String(key(row)), line);
    return line;
  }

  update([]);
  return { element, update };
}

/** Puts content in an element; who had the focus there has it again. */
function refill(cell, content) {
  const focused = cell.contains(document.activeElement);
  cell.replaceChildren(...[content].flat().filter((part) => part !== null && part !== undefined));
  if (focused) cell.querySelector("a, button")?.focus();
}

/** Which page of how many rows, and the way to the others. `turn(offset)` is called. */
export function pager(what, limit, turn) {
  const words = h("span", { "aria-live": "polite" });
  const before = h("button", { class: "button", type: "button", onclick: () => turn(Math.max(0, at - limit)) }, "Previous");
  const after = h("button", { class: "button", type: "button", onclick: () => turn(at + limit) }, "Next");
  const element = h("nav", { class: "pager", "aria-label": `Pages of ${what}` }, words, before, after);
  let at = 0;
  return {
    element,
    update(offset, total) {
      at = offset;
      const last = Math.min(offset + limit, total);
      const text = `${count(Math.min(offset + 1, total))}–${count(last)} of ${count(total)} ${what}`;
      if (words.textContent !== text) words.textContent = text;
      before.disabled = offset === 0;
      after.disabled = last >= total;
      element.hidden = total <= limit && offset === 0;
    },
  };
}

/** A search field that asks when somebody stops typing. */
export function finder(label, value, find) {
  let timer = 0;
  const input = h("input", {
    type: "search",
    class: "find",
    "aria-label": label,
    placeholder: label,
    value,
    spellcheck: "false",
    autocomplete: "off",
    oninput: () => {
      clearTimeout(timer);
      timer = setTimeout(() => find(input.value), 250);
    },
  });
  return input;
}

/** Tabs as ARIA's authoring practices have them: one stop, arrows between. panels: { id, title, element }. */
export function tabs(label, panels, chosen, choose) {
  const buttons = panels.map(({ id, title }) =>
    h("button", { type: "button", role: "tab", id: `tab-${id}`, "aria-controls": `panel-${id}`, onclick: () => select(id), onkeydown: (event) => move(event, id) }, title),
  );
  panels.forEach(({ id, element }) => {
    element.id = `panel-${id}`;
    element.setAttribute("role", "tabpanel");
    element.setAttribute("aria-labelledby", `tab-${id}`);
  });

  function select(id, focus = false) {
    panels.forEach((panel, at) => {
      const here = panel.id === id;
      buttons[at].setAttribute("aria-selected", String(here));
      buttons[at].tabIndex = here ? 0 : -1;
      panel.element.hidden = !here;
      if (here && focus) buttons[at].focus();
    });
    choose(id);
  }

  function move(event, id) {
    const at = panels.findIndex((panel) => panel.id === id);
    const places = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: panels.length - 1 };
    if (!(event.key in places)) return;
    event.preventDefault();
    select(panels[(places[event.key] + panels.length) % panels.length].id, true);
  }

  select(chosen);
  return { element: h("div", { class: "tabs", role: "tablist", "aria-label": label }, buttons), select };
}
