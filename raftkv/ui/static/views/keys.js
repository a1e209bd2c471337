// Keys: a tree to find them, a panel to look at one, a log of what happens below a prefix.

import { Refusal, stream } from "../api.js";
import { fromBase64, isPlain, parse, prefixEnd, show, textOf, toBase64, toUrl } from "../bytes.js";
import { card, empty, h, icon, setText } from "../dom.js";
import { count, moment, plural } from "../format.js";
import { table } from "../table.js";
import { keyPanel } from "./key.js";
import { keyLink } from "./leases.js";
import { reveal, tree } from "./tree.js";

const REFRESH_MS = 1000;
const KEPT = 200;

function crumbs(prefix, go) {
  const parts = [];
  for (let at = 0; at < prefix.length; at += 1) if (prefix[at] === 47 || at === prefix.length - 1) parts.push(prefix.subarray(0, at + 1));
  const link = (bytes, text, here) => h("a", { href: `#/keys?${new URLSearchParams({ prefix: toUrl(bytes) })}`, "aria-current": here ? "location" : null }, text);
  const steps = parts.map((part, at) => link(part, show(part.subarray(parts[at - 1]?.length ?? 0)), at === parts.length - 1));
  return h("nav", { class: "crumbs", "aria-label": "Prefix" }, link(new Uint8Array(), "all keys", !parts.length), parts.length ? " › " : "", steps);
}

export const keys = {
  title: "Keys",

  open(content, parameters, { session, go }) {
    let key = parameters.key ? fromBase64(parameters.key) : null;
    const prefix = fromBase64(parameters.prefix ?? "");
    let panel = null;
    let revision = 0;
    let timer = 0;
    if (key) reveal(key, prefix);

    const refusal = h("div", { role: "alert" });
    const branches = tree(prefix, { choose, chosen: () => (key ? toUrl(key) : null), refused, loaded: showTotal });
    const nothing = empty("keys", "No keys here", "Nothing begins with this prefix. A key appears as soon as somebody writes it.");
    nothing.hidden = true;
    const total = h("span", { class: "note" });
    const goTo = h("input", { type: "text", class: "mono", id: "go-to", placeholder: "jobs/", spellcheck: "false", autocomplete: "off" });
    const form = h("form", { class: "field", onsubmit: jump }, h("label", { for: "go-to" }, "Go to a prefix"), h("div", { class: "go" }, goTo, h("button", { class: "button", type: "submit" }, "Go")));
    const fresh = h("button", { class: "button", type: "button", onclick: () => showPanel(null, true) }, "New key");
    const place = h("div", {});
    const log = changes(prefix);
    content.append(
      h(
        "div",
        { class: "browser" },
        card("Tree", { note: total, right: fresh }, h("div", { class: "card-body" }, crumbs(prefix), form, refusal), h("div", { class: "tree", role: "region", "aria-label": "Tree of keys", tabindex: "0" }, branches.element, nothing)),
        place,
      ),
      log.element,
    );
    showPanel(key);

    function jump(event) {
      event.preventDefault();
      go("keys", { prefix: toUrl(parse(goTo.value)) });
    }

    function choose(bytes) {
      key = bytes;
      go("keys", { prefix: parameters.prefix, key: toUrl(bytes) }, true);
      branches.mark();
      showPanel(bytes);
    }

    function showPanel(bytes, isNew = false) {
      panel?.close();
      panel = null;
      if (bytes === null && !isNew) {
        place.replaceChildren(card("Key", {}, empty("keys", "No key is chosen", "Choose one in the tree to see its value, its history, and what happens to it.")));
        return;
      }
      panel = keyPanel(bytes, { written });
      place.replaceChildren(panel.element);
      if (isNew) panel.prefill(show(prefix));
      if (isNew) panel.focus();
    }

    function written(bytes) {
      branches.refresh();
      if (key === null || toUrl(key) !== toUrl(bytes)) choose(bytes);
    }

    function refused(error) {
      const denied = error instanceof Refusal && error.code === 7;
      const ranges = denied ? (session.readable ?? []) : [];
      const ways = ranges.map((range) => h("li", {}, rangeLink(range)));
      refusal.replaceChildren(
        h("div", { class: "notice bad" }, icon("bad"), h("div", { class: "grow" }, denied ? `${session.user} may not read all keys here.` : error.message, ways.length ? ["You may read:", h("ul", {}, ways)] : null)),
      );
    }

    async function refresh() {
      timer = 0;
      await branches.refresh();
    }

    function showTotal({ count: here, revision: at }) {
      revision = at;
      refusal.replaceChildren();
      setText(total, plural(here, "key"));
      nothing.hidden = here > 0;
    }

    return {
      topic: "session",
      parameters: {},
      update() {},
      pulse(pulse) {
        if (revision && pulse.revision > revision && !timer) timer = setTimeout(refresh, REFRESH_MS);
      },
      close() {
        clearTimeout(timer);
        panel?.close();
        log.close();
      },
    };
  },
};

function rangeLink({ key, range_end: end }) {
  const bytes = fromBase64(key);
  if (!end) return keyLink(key);
  return h("a", { class: "mono name", href: `#/keys?${new URLSearchParams({ prefix: toUrl(bytes) })}` }, `${show(bytes)}…`);
}

// --- what happens -----------------------------------------------------------------------------------------------------

function changes(prefix) {
  let running = null;
  let rows = [];
  let seen = 0;
  let drawing = 0;
  const list = table({
    caption: "Changes, the newest first",
    key: (row) => row.number,
    empty: empty("events", "Nothing is being watched", "Start to see each change below this prefix as it happens."),
    columns: [
      { title: "Time", head: true, cell: (row) => moment(row.at) },
      { title: "Revision", kind: "number", cell: (row) => count(row.revision) },
      { title: "Change", sign: (row) => row.number, cell: (row) => h("span", { class: `tag ${row.kind === "deleted" ? "warn" : row.kind === "created" ? "good" : "accent"}` }, row.kind) },
      { title: "Key", kind: "wrap", sign: (row) => row.number, cell: (row) => keyLink(row.key) },
      { title: "Value", kind: "wrap", sign: (row) => row.number, cell: (row) => h("span", { class: "mono name" }, row.value) },
    ],
  });
  const note = h("span", { class: "note" });
  const button = h("button", { class: "button", type: "button", "aria-pressed": "false", onclick: turn }, "Watch live");
  const problem = h("div", { role: "alert" });
  const element = card("Changes", { note, right: button }, problem, h("div", { class: "log", role: "log", "aria-live": "off" }, list.element));

  function turn() {
    if (running) close();
    else watch();
    button.setAttribute("aria-pressed", String(running !== null));
    setText(button, running ? "Stop" : "Watch live");
  }

  function close() {
    running?.abort();
    running = null;
    setText(note, seen ? `stopped after ${plural(seen, "change")}` : "");
  }

  async function watch() {
    const here = new AbortController();
    running = here;
    seen = 0;
    problem.replaceChildren();
    setText(note, `below ${show(prefix) || "all keys"}`);
    try {
      const create = { key: toBase64(prefix.length ? prefix : Uint8Array.of(0)), range_end: toBase64(prefixEnd(prefix)) };
      for await (const said of stream("/v3/watch", { create_request: create }, here.signal)) {
        if (said.canceled) throw new Refusal(7, said.cancel_reason || "the watch was cancelled");
        take(said.events ?? []);
      }
    } catch (error) {
      if (here.signal.aborted) return;
      problem.replaceChildren(h("p", { class: "notice bad" }, icon("bad"), error instanceof Refusal ? error.message : "The node does not answer any more."));
    }
    if (running === here) turn();
  }

  /** Rows are drawn four times a second at most, and only the last of them kept: a busy prefix must not stop the page. */
  function take(events) {
    const at = Date.now() / 1000;
    for (const event of events.slice(-KEPT)) {
      const bytes = fromBase64(event.kv.value).slice(0, 120);
      const kind = event.type === "DELETE" ? "deleted" : event.kv.version === "1" ? "created" : "changed";
      seen += 1;
      rows.unshift({ number: seen, at, revision: Number(event.kv.mod_revision), kind, key: event.kv.key, value: kind === "deleted" ? "" : isPlain(bytes) ? textOf(bytes) : show(bytes) });
    }
    rows = rows.slice(0, KEPT);
    drawing ||= setTimeout(() => {
      drawing = 0;
      list.update(rows);
      setText(note, plural(seen, "change"));
    }, 250);
  }

  return { element, close };
}
