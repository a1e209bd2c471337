// Locks, elections, semaphores: who holds, under which fencing token, who waits.

import { fromBase64, isPlain, show, textOf, toUrl } from "../bytes.js";
import { card, empty, figures, h, name, setText, tag } from "../dom.js";
import { NOTHING, count, plural, span } from "../format.js";
import { list } from "../list.js";
import { table } from "../table.js";
import { leaseLink } from "./leases.js";

function title(encoded) {
  return show(fromBase64(encoded)).replace(/\/$/, "");
}

function says(place) {
  const bytes = fromBase64(place.value);
  return bytes.length ? name(isPlain(bytes) ? textOf(bytes) : show(bytes)) : h("span", { class: "muted" }, NOTHING);
}

export const locks = list({
  name: "locks",
  title: "Locks",
  heading: "Locks and elections",
  search: "Find a name",
  rows: () => ({
    caption: "Locks and elections by name",
    key: (line) => line.name,
    empty: empty("locks", "Nothing is locked", "Locks, elections, semaphores and queues stand here while somebody holds or awaits them, those of etcd's clients too."),
    columns: [
      { title: "Name", head: true, kind: "wrap", sign: (line) => line.name, cell: (line) => h("a", { class: "mono name", dir: "auto", href: `#/lock?${new URLSearchParams({ name: toUrl(fromBase64(line.name)) })}` }, title(line.name)) },
      { title: "Kind", sign: (line) => line.kind, cell: (line) => h("span", { class: "tag plain" }, line.kind) },
      { title: "Held by", kind: "wrap", sign: (line) => JSON.stringify([line.holder, line.held]), cell: holder },
      { title: "Fencing token", kind: "number", cell: (line) => count(line.holder?.token) },
      { title: "Lease", sign: (line) => line.holder?.lease ?? "", cell: (line) => leaseLink(line.holder?.lease) },
      { title: "Waiting", kind: "number", cell: (line) => count(line.waiting) },
    ],
  }),
  items: (answer) => answer.lines,
  note: (answer) => (answer.hidden ? `${count(answer.found)} that you may read` : plural(answer.found, "line")),
});

function holder(line) {
  if (!line.holder) return h("span", { class: "muted" }, "nobody");
  const more = line.held > 1 ? h("span", { class: "muted" }, ` and ${count(line.held - 1)} more`) : null;
  return line.kind === "election" ? [says(line.holder), more] : [h("span", { class: "mono" }, title(line.holder.key).split("/").at(-1)), more];
}

export const lock = {
  title: "Lock",
  menu: "locks",
  heading: (parameters) => title(parameters.name ?? ""),

  open(content, parameters) {
    const about = h("div", {});
    const note = h("span", { class: "note" });
    const rows = table({
      caption: "The line, in the order of arrival",
      key: (place) => place.key,
      empty: empty("locks", "Nobody stands here", "Whoever comes next has it at once."),
      columns: [
        { title: "Place", kind: "number", cell: (place) => count(place.at) },
        { title: "State", sign: (place) => String(place.holds), cell: (place) => (place.holds ? tag("holds", "good") : tag("waits")) },
        { title: "Key", head: true, kind: "wrap", sign: (place) => place.key, cell: (place) => h("a", { class: "mono name", href: `#/keys?${new URLSearchParams({ key: toUrl(fromBase64(place.key)) })}` }, show(fromBase64(place.key))) },
        { title: "Fencing token", kind: "number", cell: (place) => count(place.token) },
        { title: "Says", kind: "wrap", sign: (place) => place.value, cell: says },
        { title: "Lease", sign: (place) => place.lease, cell: (place) => leaseLink(place.lease) },
        { title: "Lease ends in", kind: "number", cell: (place) => (place.left === null ? NOTHING : span(Math.max(0, place.left))) },
      ],
    });
    content.append(about, card("The line", { note }, rows.element));

    return {
      parameters: { name: parameters.name },
      update({ line }) {
        const places = (line?.places ?? []).map((place, at) => ({ ...place, at: at + 1 }));
        rows.update(places);
        if (line === null) {
          about.replaceChildren(h("p", { class: "notice info" }, "Nobody holds it and nobody waits."));
          return;
        }
        const shown = figures([["Kind", line.kind], ["Held by", plural(line.held, "client")], ["Fencing token", count(line.holder?.token)], ["Waiting", count(line.waiting)]]);
        about.replaceChildren(shown);
        setText(note, line.size > places.length ? `the first ${count(places.length)} of ${count(line.size)}` : plural(line.size, "place"));
      },
    };
  },
};
