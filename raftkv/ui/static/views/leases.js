// Leases: how long each has left, and which keys go with it.

import { fromBase64, show, toUrl } from "../bytes.js";
import { card, empty, figures, h } from "../dom.js";
import { NOTHING, count, plural, span } from "../format.js";
import { list } from "../list.js";
import { pager, table } from "../table.js";

const KEYS = 100;

export function leaseLink(id) {
  return id ? h("a", { class: "mono", href: `#/lease?${new URLSearchParams({ id })}` }, id) : NOTHING;
}

export function keyLink(encoded) {
  const bytes = fromBase64(encoded);
  return h("a", { class: "mono name", dir: "auto", href: `#/keys?${new URLSearchParams({ key: toUrl(bytes) })}` }, show(bytes));
}

function left(lease) {
  if (lease.left === null) return h("span", { class: "muted" }, "unknown");
  const share = lease.ttl ? Math.max(0, lease.left / lease.ttl) : 0;
  const bar = h("i", {});
  bar.style.setProperty("width", `${Math.min(1, share) * 100}%`);
  return [h("span", { class: `meter ${share < 0.25 ? "low" : ""}`, "aria-hidden": "true" }, bar), span(Math.max(0, lease.left))];
}

export const leases = list({
  name: "leases",
  title: "Leases",
  search: "Find an id or a key",
  rows: () => ({
    caption: "Leases, those granted last first",
    key: (lease) => lease.id,
    empty: empty("leases", "No leases", "A lease is a promise with an end: locks, elections and members of jobs hang on one, and go when it is not renewed."),
    columns: [
      { title: "Lease", head: true, sign: (lease) => lease.id, cell: (lease) => leaseLink(lease.id) },
      { title: "Time left", sign: (lease) => String(lease.left), cell: left },
      { title: "Granted for", kind: "number", cell: (lease) => span(lease.ttl) },
      { title: "Keys", kind: "number", cell: (lease) => count(lease.keys) },
      { title: "Which", kind: "wrap", sign: (lease) => lease.shown.join() + lease.keys, cell: which },
    ],
  }),
  items: (answer) => answer.leases,
  note: (answer, find) => (find ? `${count(answer.found)} of ${plural(answer.total, "lease")}` : plural(answer.total, "lease")),
});

function which(lease) {
  if (!lease.keys) return h("span", { class: "muted" }, "none");
  const rest = lease.keys - lease.shown.length;
  const links = lease.shown.flatMap((key, at) => (at ? [", ", keyLink(key)] : [keyLink(key)]));
  return [...links, rest ? h("span", { class: "muted" }, lease.shown.length ? ` and ${count(rest)} more` : `${count(rest)} that you may not read`) : null];
}

export const lease = {
  title: "Lease",
  menu: "leases",
  heading: (parameters) => `Lease ${parameters.id ?? ""}`,

  open(content, parameters) {
    let offset = 0;
    const about = h("div", {});
    const rows = table({
      caption: "Keys of the lease",
      key: (row) => row.key,
      empty: empty("keys", "No keys", "No key that you may read hangs on this lease."),
      columns: [{ title: "Key", head: true, kind: "wrap", sign: (row) => row.key, cell: (row) => keyLink(row.key) }],
    });
    const pages = pager("keys", KEYS, (to) => {
      offset = to;
      running.again({ id: parameters.id, offset, limit: KEYS });
    });
    content.append(about, card("Keys", {}, rows.element, pages.element));

    const running = {
      parameters: { id: parameters.id, offset, limit: KEYS },
      update({ lease: found }) {
        if (found === null) {
          about.replaceChildren(h("p", { class: "notice warn" }, "This lease has ended, with all of its keys."));
          rows.update([]);
          pages.update(0, 0);
          return;
        }
        const shown = figures([["Time left", left(found)], ["Granted for", span(found.ttl)], ["Keys", count(found.keys)], ["As a number", h("span", { class: "mono small" }, found.number)]]);
        about.replaceChildren(shown);
        rows.update(found.shown.map((key) => ({ key })));
        pages.update(offset, found.keys);
      },
    };
    return running;
  },
};

