// Quorums of torchft's lighthouse: which groups train together, under which id.

import { announce, card, empty, facts, figures, h, name } from "../dom.js";
import { NOTHING, count, moment, plural, span } from "../format.js";
import { list } from "../list.js";
import { pager, table } from "../table.js";

const GROUPS = 50;

export function quorumLink(job, words = job) {
  return h("a", { class: "name", href: `#/quorum?${new URLSearchParams({ name: job })}` }, words);
}

export const quorums = list({
  name: "quorums",
  title: "Quorums",
  heading: "Quorums of torchft's lighthouse",
  search: "Find a name",
  rows: () => ({
    caption: "Jobs with a quorum, those whose groups changed last first",
    key: (quorum) => quorum.name,
    empty: empty("quorums", "No quorums", "Replica groups of torchft find each other here: set TORCHFT_LIGHTHOUSE to a node, or to raftkv lighthouse serve."),
    columns: [
      { title: "Job", head: true, kind: "wrap", sign: (quorum) => quorum.name, cell: (quorum) => quorumLink(quorum.name) },
      { title: "Quorum", kind: "number", hint: "Grows when groups come or go, or when steps fail", cell: (quorum) => count(quorum.quorum_id) },
      { title: "Groups", kind: "number", cell: (quorum) => count(quorum.groups) },
      { title: "Which", kind: "wrap", sign: (quorum) => quorum.first.join() + quorum.groups, cell: which },
      { title: "Since revision", kind: "number", cell: (quorum) => count(quorum.revision) },
    ],
  }),
  items: (answer) => answer.quorums,
  note: (answer) => plural(answer.found, "job"),
});

function which(quorum) {
  const rest = quorum.groups - quorum.first.length;
  return [...quorum.first.flatMap((group, at) => (at ? [", ", name(group)] : [name(group)])), rest ? h("span", { class: "muted" }, ` and ${count(rest)} more`) : null];
}

export const quorum = {
  title: "Quorum",
  menu: "quorums",
  heading: (parameters) => parameters.name ?? "Quorum",

  open(content, parameters) {
    const about = h("div", {});
    const settings = h("div", { class: "card-body" });
    const rows = table({
      caption: "Groups of the last quorum, in the order of their names",
      key: (member) => member.group,
      empty: empty("quorums", "No quorum", "This job has had none yet, or so long ago that it was forgotten."),
      columns: [
        { title: "Group", head: true, kind: "wrap", sign: (member) => member.group, cell: (member) => name(member.group) },
        { title: "Address", kind: "wrap", cell: (member) => member.address || NOTHING },
        { title: "Store", kind: "wrap", cell: (member) => member.store_address || NOTHING },
        { title: "Step", kind: "number", hint: "When the quorum was formed", cell: (member) => count(member.step) },
        { title: "Workers", kind: "number", cell: (member) => count(member.world_size) },
      ],
    });
    const pages = pager("groups", GROUPS, (offset) => running.again({ name: parameters.name, offset, limit: GROUPS }));
    content.append(about, card("Groups", {}, rows.element, pages.element), card("Settings", {}, settings));
    let before = null;

    const running = {
      parameters: { name: parameters.name, offset: 0, limit: GROUPS },
      update({ quorum: found }) {
        rows.update(found?.members ?? []);
        pages.update(found?.offset ?? 0, found?.groups ?? 0);
        about.replaceChildren(...(found ? [figuresOf(found)] : []));
        settings.parentElement.hidden = found === null;
        if (found) settings.replaceChildren(facts(settingsOf(found.settings)));
        if (found && before && before.quorum_id !== found.quorum_id) announce(`${found.name} has quorum ${found.quorum_id} now, of ${plural(found.groups, "group")}.`);
        before = found;
      },
    };
    return running;
  },
};

function figuresOf(found) {
  return figures([["Quorum", count(found.quorum_id)], ["Groups", count(found.groups)], ["Formed", moment(found.created)], ["Since revision", count(found.revision)]]);
}

function settingsOf({ min_replicas: least, join_timeout_ms: join, heartbeat_timeout_ms: heartbeat }) {
  return [["groups needed", count(least)], ["waits for others to join", span(join / 1000)], ["silent groups are dead after", span(heartbeat / 1000)]];
}
