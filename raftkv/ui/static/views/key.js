// One key: its value, edited by compare-and-swap; its history; what happens to it while it is looked at.

import { Refusal, ask, call, stream, write } from "../api.js";
import { fromBase64, isPlain, parse, show, textOf, toBase64, toUrl } from "../bytes.js";
import { announce, card, empty, facts, h, icon, name, setText } from "../dom.js";
import { NOTHING, count, size } from "../format.js";
import { table, tabs } from "../table.js";
import { confirmed, editor, same } from "./editor.js";
import { leaseLink } from "./leases.js";

const NONE = { mod_revision: "0", version: "0", value: "" };

/** A panel about a key; `bytes` null: a new one. `written(bytes)` is called after a change from here. */
export function keyPanel(bytes, { written }) {
  const encoded = bytes === null ? null : toBase64(bytes);
  const watching = new AbortController();
  let base = NONE;
  let newest = NONE;
  let closed = false;

  // --- what is there ------------------------------------------------------------------------------------------------

  const about = h("dl", { class: "facts" });
  const conflict = h("div", { role: "alert" });
  const problem = h("div", { role: "alert" });
  const keyField = h("input", { type: "text", class: "mono", id: "new-key", spellcheck: "false", autocomplete: "off", "aria-describedby": "key-hint" });
  const edit = editor(() => refreshButtons());
  const save = h("button", { class: "button first", type: "button", onclick: () => put(base.mod_revision) }, bytes === null ? "Create" : "Save");
  const discard = h("button", { class: "button", type: "button", onclick: () => take(newest) }, "Discard changes");
  const remove = h("button", { class: "button danger", type: "button", onclick: erase }, "Delete");
  const value = h("div", {}, edit.element, h("div", { class: "card-body" }, conflict, problem, h("div", { class: "buttons" }, save, bytes !== null && discard, bytes !== null && remove)));
  const past = history(encoded, (revision, old) => {
    edit.set(old);
    refreshButtons();
    choose.select("value");
    announce(`The value of revision ${revision} is in the editor and not saved.`);
  });
  const choose = tabs("About the key", [{ id: "value", title: "Value", element: value }, { id: "history", title: "History", element: past.element }], "value", (tab) => tab === "history" && past.load());
  const title = bytes === null ? "New key" : show(bytes);
  const newName = h("div", { class: "card-body" }, h("div", { class: "field" }, h("label", { for: "new-key" }, "Key"), keyField, h("p", { class: "muted small", id: "key-hint" }, "\\x00 stands for a byte, \\\\ for a backslash.")));
  const element = card(title, {}, bytes === null ? newName : h("div", { class: "card-body" }, about), bytes === null ? value : [choose.element, value, past.element]);

  const dirty = () => !same(edit.get(), fromBase64(base.value));

  function refreshButtons() {
    save.disabled = !edit.valid || (bytes !== null && !dirty());
    discard.disabled = !dirty();
    remove.disabled = base === NONE;
  }

  function describe(kv) {
    about.replaceChildren(
      ...facts([
        ["Changed at revision", kv.mod_revision === "0" ? "not there" : count(Number(kv.mod_revision))],
        ["Created at revision", kv.create_revision ? count(Number(kv.create_revision)) : NOTHING],
        ["Version", kv.version === "0" ? NOTHING : count(Number(kv.version))],
        ["Lease", leaseLink(kv.lease ? BigInt.asUintN(64, BigInt(kv.lease)).toString(16) : "")],
      ]).children,
    );
  }

  /** The editor shows this version, and a change is one of it. */
  function take(kv) {
    base = newest = kv;
    edit.set(fromBase64(kv.value));
    conflict.replaceChildren();
    problem.replaceChildren();
    describe(kv);
    refreshButtons();
  }

  // --- following ----------------------------------------------------------------------------------------------------

  async function follow() {
    while (!closed) {
      try {
        const answer = await call("/v3/kv/range", { key: encoded, serializable: true });
        arrived(answer.kvs?.[0] ?? NONE);
        const create = { key: encoded, start_revision: String(Number(answer.header.revision) + 1) };
        for await (const said of stream("/v3/watch", { create_request: create }, watching.signal)) {
          if (said.canceled) throw new Refusal(2, said.cancel_reason ?? "the watch was cancelled");
          for (const event of said.events ?? []) arrived(event.type === "DELETE" ? NONE : event.kv, event.kv.mod_revision);
        }
      } catch (error) {
        if (closed) return;
        if (error instanceof Refusal && error.code === 7) {
          problem.replaceChildren(h("p", { class: "notice bad" }, icon("bad"), "You may not read this key."));
          return;
        }
      }
      await new Promise((resume) => setTimeout(resume, 1000));
    }
  }

  /** The cluster has this version now. */
  function arrived(kv, revision = kv.mod_revision) {
    const changed = newest !== kv && newest.mod_revision !== kv.mod_revision;
    const edited = dirty();
    newest = { value: "", version: "0", ...kv };
    describe(newest);
    if (!edited) take(newest);
    else if (changed && base.mod_revision !== newest.mod_revision) warn(revision);
    if (changed) past.changed();
  }

  function warn(revision) {
    conflict.replaceChildren(
      h("div", { class: "notice warn" }, icon("warn"), h("div", { class: "grow" }, `The key was ${newest === NONE || newest.mod_revision === "0" ? "deleted" : "changed"} at revision ${count(Number(revision))} while you edit what it was at revision ${count(Number(base.mod_revision))}.`), h("button", { class: "button", type: "button", onclick: () => take(newest) }, "Take the new one")),
    );
  }

  // --- changing -----------------------------------------------------------------------------------------------------

  async function put(expected) {
    const key = encoded ?? toBase64(parse(keyField.value));
    const there = expected !== "0" && expected !== 0;
    const set = { key, value: toBase64(edit.get()), ...(there ? { ignore_lease: true } : {}) };
    await swap(key, expected, { request_put: set }, (revision) => {
      announce(`Saved at revision ${revision}.`);
      if (bytes !== null) take({ ...newest, value: set.value, mod_revision: String(revision), version: String(Number(base.version) + 1), create_revision: there ? newest.create_revision : String(revision) });
      written(fromBase64(key));
    });
  }

  async function erase() {
    const expected = base.mod_revision;
    if (!(await confirmed(`Delete ${show(bytes)}?`, `It is deleted if it is still what it was at revision ${count(Number(expected))}.`, "Delete"))) return;
    await swap(encoded, expected, { request_delete_range: { key: encoded } }, (revision) => {
      announce(`Deleted at revision ${revision}.`);
      take(NONE);
      written(bytes);
    });
  }

  /** Does it if the key is still what it was at the revision that is expected; else shows what it is now. */
  async function swap(key, expected, operation, done) {
    problem.replaceChildren();
    save.disabled = remove.disabled = true;
    try {
      const compare = [{ key, target: "MOD", result: "EQUAL", mod_revision: String(expected) }];
      const answer = await write("/v3/kv/txn", { compare, success: [operation], failure: [{ request_range: { key } }] });
      if (answer.succeeded) {
        conflict.replaceChildren();
        done(Number(answer.header.revision));
      } else {
        clash(key, expected, operation, answer.responses?.[0]?.response_range?.kvs?.[0] ?? NONE, done);
      }
    } catch (error) {
      const words = error instanceof Refusal ? (error.code === 7 ? "You may not write this key." : error.message) : "The node does not answer. It is not known whether this was done.";
      problem.replaceChildren(h("p", { class: "notice bad" }, icon("bad"), words));
    } finally {
      refreshButtons();
    }
  }

  function clash(key, expected, operation, theirs, done) {
    const gone = theirs.mod_revision === "0";
    const happened = expected === "0" ? "exists already, since" : gone ? "is not there any more; it was" : "was changed at";
    const words = gone ? `Nothing was written. The key was deleted after revision ${count(Number(expected))}.` : `Nothing was written. The key ${happened} revision ${count(Number(theirs.mod_revision))}${expected === "0" ? "" : `, and you have edited revision ${count(Number(expected))}`}.`;
    newest = { value: "", version: "0", ...theirs };
    const bytesNow = fromBase64(theirs.value);
    const over = operation.request_put ? "Write mine over it" : "Delete it nevertheless";
    const again = () => {
      const retry = operation.request_put ? { request_put: { ...operation.request_put, ignore_lease: !gone } } : operation;
      swap(key, theirs.mod_revision, retry, done);
    };
    conflict.replaceChildren(
      h(
        "div",
        { class: "notice bad conflict" },
        icon("bad"),
        h("div", { class: "grow" }, h("b", {}, "Conflict"), h("span", {}, words), !gone && h("pre", { class: "value", tabindex: "0", "aria-label": "The value now" }, isPlain(bytesNow) ? textOf(bytesNow).slice(0, 4096) : show(bytesNow.slice(0, 1024)))),
        h("div", { class: "buttons" }, bytes !== null && h("button", { class: "button", type: "button", onclick: () => take(newest) }, gone ? "Accept" : "Take theirs"), h("button", { class: "button danger", type: "button", onclick: again }, over)),
      ),
    );
    conflict.querySelector("button").focus();
  }

  describe(NONE);
  edit.set(new Uint8Array());
  refreshButtons();
  if (bytes !== null) follow();
  return {
    element,
    focus: () => (bytes === null ? keyField.focus() : null),
    prefill: (text) => (keyField.value = text),
    close() {
      closed = true;
      watching.abort();
    },
  };
}

// --- history ----------------------------------------------------------------------------------------------------------

function history(encoded, use) {
  let versions = [];
  let asked = false;
  const rows = table({
    caption: "Versions of the key, the newest first",
    key: (one) => one.revision,
    empty: empty("keys", "No versions", "Nothing of this key is kept: it was never there, or what it was has been compacted."),
    columns: [
      { title: "Revision", head: true, kind: "number", cell: (one) => count(one.revision) },
      { title: "Version", kind: "number", cell: (one) => (one.deleted ? NOTHING : count(one.version)) },
      { title: "Size", kind: "number", cell: (one) => (one.deleted ? NOTHING : size(one.size)) },
      { title: "Value", kind: "wrap", sign: (one) => one.revision, cell: shown },
      { title: "Lease", sign: (one) => one.lease ?? "", cell: (one) => leaseLink(one.lease) },
      { title: "", sign: (one) => one.revision, cell: again },
    ],
  });
  const further = h("button", { class: "button", type: "button", onclick: () => load(versions.at(-1)?.revision) }, "Show older ones");
  const end = h("p", { class: "muted small" });
  const element = h("div", {}, rows.element, h("div", { class: "card-body" }, further, end));

  function again(one) {
    if (one.deleted || fromBase64(one.value).length < one.size) return NOTHING;
    return h("button", { class: "button quiet", type: "button", onclick: () => use(one.revision, fromBase64(one.value)), "aria-label": `Edit the value of revision ${one.revision}` }, "Edit");
  }

  async function load(before = "") {
    if (encoded === null) return;
    asked = true;
    const answer = await ask("history", { key: toUrl(fromBase64(encoded)), before, limit: 50 });
    versions = before ? [...versions, ...answer.versions] : answer.versions;
    rows.update(versions);
    further.hidden = !answer.more;
    setText(end, answer.more ? "" : answer.compacted ? `What was before revision ${count(answer.compacted)} has been compacted.` : "This is all of it: nothing has been compacted.");
  }

  return { element, load: () => load(), changed: () => asked && load() };
}

function shown(one) {
  if (one.deleted) return h("span", { class: "tag warn" }, "deleted");
  const bytes = fromBase64(one.value);
  const text = isPlain(bytes) ? textOf(bytes) : show(bytes);
  if (text.length <= 80) return name(text || "empty", text ? "mono" : "muted");
  return h("details", {}, h("summary", { class: "mono" }, `${text.slice(0, 80)}…`), h("pre", { class: "value" }, text));
}
