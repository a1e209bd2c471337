// Keys as a tree of folders, opened one page at a time. What is open stays open when the page is left and come back to.

import { ask } from "../api.js";
import { fromBase64, show, toUrl } from "../bytes.js";
import { h, icon, name, setText } from "../dom.js";
import { count, size } from "../format.js";

const PAGE = 100;
const MOST_REFRESHED = 400;
const opened = new Set();

/** Opens all folders on the way to a key. */
export function reveal(key, root) {
  for (let at = root.length; at < key.length; at += 1) if (key[at] === 47) opened.add(toUrl(key.subarray(0, at + 1)));
}

/** A tree below a prefix. `choose(bytes)` is called with the key that somebody wants to see, `loaded(answer)` with what came. */
export function tree(prefix, { choose, chosen, refused, loaded }) {
  const root = folder(prefix, { choose, chosen, refused }, loaded);
  root.load();
  return { element: root.list, refresh: root.refresh, mark: root.mark };
}

function folder(prefix, hooks, loaded = () => {}) {
  const list = h("ul", {});
  const more = h("li", {}, h("button", { class: "button quiet", type: "button", onclick: () => load() }, "Show more"));
  const known = new Map();
  const self = { list, load, refresh, mark };
  let rows = [];
  let busy = false;
  let left = false;

  async function page(after) {
    return ask("keys", { prefix: toUrl(prefix), after, limit: PAGE });
  }

  async function load() {
    await work(async () => {
      const answer = await page(rows.length ? toUrl(fromBase64(rows.at(-1).key)) : "");
      rows = [...rows, ...answer.rows];
      take(answer);
    });
  }

  /** What was loaded, again: as much of it as is worth a look. */
  async function refresh() {
    await work(async () => {
      const wanted = Math.min(Math.max(rows.length, PAGE), MOST_REFRESHED);
      let fresh = [];
      let answer = null;
      do {
        answer = await page(fresh.length ? toUrl(fromBase64(fresh.at(-1).key)) : "");
        fresh = [...fresh, ...answer.rows];
      } while (answer.more && fresh.length < wanted);
      rows = fresh;
      take(answer);
    });
    for (const child of known.values()) if (child.inner && opened.has(child.id)) await child.inner.refresh();
  }

  async function work(act) {
    if (busy) return;
    busy = true;
    try {
      await act();
    } catch (error) {
      hooks.refused(error);
    } finally {
      busy = false;
    }
  }

  function take(answer) {
    left = answer.more;
    const present = new Set(rows.map((row) => row.key));
    for (const [key, child] of known) {
      if (present.has(key)) continue;
      child.element.remove();
      known.delete(key);
    }
    rows.forEach((row, at) => {
      const child = known.get(row.key) ?? add(row);
      child.show(row);
      if (list.children[at] !== child.element) list.insertBefore(child.element, list.children[at] ?? null);
    });
    if (left) list.append(more);
    else more.remove();
    loaded(answer);
  }

  function add(row) {
    const bytes = fromBase64(row.key);
    const child = row.folder ? branch(bytes, prefix, hooks) : leaf(bytes, prefix, hooks);
    known.set(row.key, child);
    return child;
  }

  function mark() {
    for (const child of known.values()) child.mark();
  }

  return self;
}

function label(bytes, prefix) {
  return name(show(bytes.subarray(prefix.length)) || "(the prefix itself)");
}

function branch(bytes, prefix, hooks) {
  const id = toUrl(bytes);
  const aside = h("span", { class: "aside" });
  const inside = h("div", { id: `in-${id}`, hidden: true });
  const button = h("button", { class: "row", type: "button", "aria-expanded": "false", "aria-controls": `in-${id}`, onclick: turn, onkeydown: step }, icon("turn", "turn"), label(bytes, prefix), aside);
  const self = { id, element: h("li", {}, button, inside), inner: null, show: (row) => setText(aside, count(row.count)), mark: () => self.inner?.mark() };

  function turn() {
    set(button.getAttribute("aria-expanded") !== "true");
  }

  function step(event) {
    if (event.key === "ArrowRight") set(true);
    else if (event.key === "ArrowLeft") set(false);
    else return;
    event.preventDefault();
  }

  function set(open) {
    button.setAttribute("aria-expanded", String(open));
    inside.hidden = !open;
    if (open) opened.add(id);
    else opened.delete(id);
    if (open && self.inner === null) {
      self.inner = folder(bytes, hooks);
      inside.append(self.inner.list);
      self.inner.load();
    }
  }

  if (opened.has(id)) set(true);
  return self;
}

function leaf(bytes, prefix, hooks) {
  const aside = h("span", { class: "aside" });
  const link = h("a", { class: "row", href: `#/keys?${new URLSearchParams({ key: toUrl(bytes) })}`, onclick: open }, h("span", { class: "turn" }), label(bytes, prefix), aside);

  function open(event) {
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    event.preventDefault();
    hooks.choose(bytes);
  }

  function mark() {
    if (hooks.chosen() === toUrl(bytes)) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }

  mark();
  return { element: h("li", {}, link), inner: null, show: (row) => setText(aside, size(row.size)), mark };
}
