// What happened, as the node that is asked saw it.

import { card, empty, h, icon, name, setText, tag } from "../dom.js";
import { moment } from "../format.js";
import { table } from "../table.js";
import { ask } from "../api.js";

const KINDS = [["", "All"], ["leader", "Leaders"], ["member", "Members"], ["alarm", "Alarms"], ["job", "Jobs"], ["node", "This node"]];
const WORDS = { good: "good", info: "note", warn: "notice", bad: "trouble" };

export const events = {
  title: "Events",

  open(content, parameters, { go, session }) {
    let older = [];
    let newest = [];
    let more = false;
    const kind = parameters.kind ?? "";
    const rows = table({
      caption: "Events, the newest first",
      key: (event) => event.number,
      empty: empty("events", "Nothing has happened", "Changes of leaders and members, alarms, and rounds of jobs will stand here as they happen."),
      columns: [
        { title: "Time", head: true, cell: (event) => moment(event.at) },
        { title: "", sign: (event) => event.number, cell: (event) => h("span", { class: `tag ${event.severity}` }, WORDS[event.severity] ?? event.severity) },
        { title: "What", cell: (event) => event.kind },
        { title: "Who", sign: (event) => event.number, cell: (event) => (event.kind === "job" ? h("a", { class: "name", href: `#/job?${new URLSearchParams({ name: event.subject })}` }, event.subject) : name(event.subject)) },
        { title: "Happened", kind: "wrap", cell: (event) => event.text },
      ],
    });
    const choice = h("select", { "aria-label": "Kind of events", onchange: () => go("events", { kind: choice.value }) }, KINDS.map(([value, title]) => h("option", { value, selected: value === kind }, title)));
    const note = h("span", { class: "note" });
    const further = h("button", { class: "button", type: "button", onclick: load }, "Show older ones");
    const foot = h("div", { class: "pager" }, further);
    content.append(card("What happened", { note, right: choice }, rows.element, foot));

    async function load() {
      const last = [...newest, ...older].at(-1);
      const answer = await ask("events", { kind, before: last.number, limit: 100 });
      older = [...older, ...answer.events];
      more = answer.more;
      show();
    }

    function show() {
      const fresh = new Set(newest.map((event) => event.number));
      rows.update([...newest, ...older.filter((event) => !fresh.has(event.number))]);
      foot.hidden = !more;
    }

    return {
      topic: "events",
      parameters: { kind, limit: 100 },
      update(answer) {
        const floor = answer.events.at(-1)?.number ?? 0;
        older = [...newest.filter((event) => event.number < floor), ...older];
        newest = answer.events;
        if (!older.length) more = answer.more;
        setText(note, `as ${session.name} saw it since ${moment(answer.since)}`);
        show();
      },
    };
  },
};
