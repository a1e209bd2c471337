// A value that is being looked at or edited: as text where it is text, else as base64, with its bytes beside it.

import { dump, fromBase64, isPlain, textOf, toBase64, utf8 } from "../bytes.js";
import { h, setText } from "../dom.js";
import { size } from "../format.js";

const LARGE_BYTES = 256 * 1024;

/** An editor of bytes. `changed()` is called when somebody types. */
export function editor(changed) {
  const area = h("textarea", { class: "mono", id: "value", spellcheck: "false", autocomplete: "off", rows: "10", oninput: typed });
  const problem = h("p", { class: "small", role: "alert" });
  const pre = h("pre", { class: "value bytes", tabindex: "0", "aria-label": "Bytes of the value" });
  const text = h("option", { value: "text" }, "Text");
  const mode = h("select", { id: "shown-as", onchange: turn }, text, h("option", { value: "base64" }, "Base64"), h("option", { value: "hex" }, "Bytes (read only)"));
  const label = h("label", { for: "value" }, "Value");
  const field = h("div", { class: "field" }, label, area, problem);
  const large = h("button", { class: "button", type: "button", onclick: () => (area.hidden = large.hidden = false, draw()) }, "Load all of it for editing");
  const element = h("div", { class: "card-body" }, h("div", { class: "buttons" }, h("label", { for: "shown-as", class: "muted small" }, "Shown as"), mode), field, large, pre);
  let bytes = new Uint8Array();
  let shown = "text";

  /** Sets the value, as it came from the cluster. */
  function set(value) {
    bytes = value;
    text.disabled = !isPlain(bytes);
    shown = bytes.length > LARGE_BYTES ? "hex" : text.disabled ? (shown === "hex" ? "hex" : "base64") : shown === "base64" ? "text" : shown;
    mode.value = shown;
    draw();
  }

  function draw() {
    setText(problem, "");
    const edits = shown !== "hex";
    field.hidden = !edits;
    large.hidden = true;
    pre.hidden = shown === "text";
    if (edits) area.value = shown === "text" ? textOf(bytes) : toBase64(bytes);
    area.rows = Math.min(24, Math.max(5, area.value.split("\n").length + 1, Math.ceil(area.value.length / 76)));
    if (!pre.hidden) setText(pre, bytes.length ? dump(bytes) : "no bytes");
    setText(label, `Value, ${size(bytes.length)}`);
  }

  function turn() {
    shown = mode.value;
    draw();
  }

  function typed() {
    try {
      bytes = shown === "text" ? utf8(area.value) : fromBase64(area.value.replace(/\s/g, ""));
      setText(problem, "");
      setText(label, `Value, ${size(bytes.length)}`);
      if (!pre.hidden) setText(pre, dump(bytes));
    } catch {
      setText(problem, "This is not base64.");
    }
    changed();
  }

  return { element, set, get: () => bytes, get valid() { return !problem.textContent; } };
}

/** Whether two values are the same bytes. */
export function same(one, other) {
  return one.length === other.length && one.every((byte, at) => byte === other[at]);
}

/** Asks before something is done that cannot be undone: true, or false. */
export function confirmed(question, text, act) {
  return new Promise((answer) => {
    const close = (said) => {
      dialog.close();
      dialog.remove();
      answer(said);
    };
    const dialog = h(
      "dialog",
      { class: "card", "aria-labelledby": "question", oncancel: () => answer(false) },
      h("div", { class: "card-body" }, h("h2", { id: "question" }, question), h("p", { class: "muted" }, text), h("div", { class: "buttons" }, h("button", { class: "button danger", type: "button", onclick: () => close(true) }, act), h("button", { class: "button", type: "button", onclick: () => close(false), autofocus: true }, "Cancel"))),
    );
    document.body.append(dialog);
    dialog.showModal();
  });
}
