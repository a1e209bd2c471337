// The cluster: is all well, who leads, how far is each member, how are their disks.

import { announce, card, empty, figures as figuresOf, h, icon, name, setText, tag } from "../dom.js";
import { sparkline } from "../draw.js";
import { NOTHING, count, milliseconds, plural, rate, size, span } from "../format.js";
import { table } from "../table.js";

function role(member, picture) {
  if (!member.started) return tag("not started", "warn");
  if (!member.answers) return tag("away", "bad");
  if (member.id === picture.leader) return tag("leader", "accent");
  return member.learner ? tag("learner") : tag("follower");
}

function verdict(findings) {
  if (!findings.length) return h("div", { class: "notice good" }, icon("good"), h("div", { class: "grow" }, h("b", {}, "All is well.")));
  const worst = findings[0].severity;
  const lines = findings.map((one) => h("li", {}, h("b", { class: "name" }, one.subject), `: ${one.text}`));
  return h("div", { class: `notice ${worst}` }, icon(worst), h("ul", { class: "grow findings" }, lines));
}

function lag(member, picture) {
  const ahead = Math.max(...picture.members.map((one) => one.committed ?? 0));
  return member.answers ? Math.max(0, ahead - member.applied) : null;
}

/** What holds for all of the cluster, as its leader says; without one, as the member that was asked does. */
function figures(picture) {
  const leader = picture.members.find((member) => member.id === picture.leader && member.answers);
  const one = leader ?? picture.members.find((member) => member.id === picture.asked) ?? {};
  const reads = picture.members.reduce((sum, member) => sum + (member.now.reads_per_s ?? 0), 0);
  const answering = picture.members.filter((member) => member.answers).length;
  const leading = picture.members.find((member) => member.id === picture.leader);
  return [
    ["Leader", leading ? name(leading.name || leading.id) : "none"],
    ["Members", [`${answering}`, h("span", { class: "small" }, ` of ${picture.members.length} answer`)]],
    ["Term", count(picture.term)],
    ["Revision", count(picture.revision)],
    ["Entries a second", rate(one.now?.writes_per_s)],
    ["Reads a second", rate(reads)],
    ["Keys", count(one.keys)],
    ["Leases", count(one.leases)],
    ["Jobs", count(one.jobs)],
    ["Data", [size(one.in_use), one.quota ? h("span", { class: "small" }, ` of ${size(one.quota)}`) : null, one.quota ? meter(one.in_use / one.quota) : null]],
  ];
}

function meter(share) {
  const bar = h("i", {});
  bar.style.setProperty("width", `${Math.min(100, share * 100)}%`);
  return h("span", { class: `meter wide ${share > 0.8 ? "low" : ""}`, "aria-hidden": "true" }, bar);
}

export const cluster = {
  title: "Cluster",

  open(content) {
    let picture = { members: [] };
    let said = null;
    const lines = new Map();
    const line = (member) => lines.get(member.id) ?? lines.set(member.id, sparkline()).get(member.id);
    const answered = (member, text) => (member.answers || member.term ? text : NOTHING);

    const state = h("div", { role: "status", "aria-label": "State of the cluster" });
    const numbers = h("dl", { class: "figures ten" });
    const members = table({
      caption: "Members of the cluster",
      key: (member) => member.id,
      faded: (member) => !member.answers,
      columns: [
        { title: "Member", head: true, sign: (one) => `${one.name}${one.id}${one.id === picture.asked}`, cell: (one) => [name(one.name || "unnamed"), one.id === picture.asked ? h("span", { class: "muted small" }, " (asked)") : null] },
        { title: "Role", sign: (one) => `${one.started}${one.answers}${one.id === picture.leader}${one.learner}`, cell: (one) => role(one, picture) },
        { title: "Term", kind: "number", cell: (one) => answered(one, count(one.term)) },
        { title: "Committed", kind: "number", hint: "The last log entry that the member knows to be committed", cell: (one) => answered(one, count(one.committed)) },
        { title: "Applied", kind: "number", hint: "The last log entry that its state holds", cell: (one) => answered(one, count(one.applied)) },
        { title: "Lag", kind: "number", hint: "Entries that are committed somewhere and not applied here", cell: (one) => count(lag(one, picture)) },
        { title: "Sync median", kind: "number", hint: "Synced writes to disk in the last ten seconds; where there were none, since it was started", cell: (one) => milliseconds(one.answers ? one.now.sync_p50_ms : null) },
        { title: "Sync p99", kind: "number", hint: "1 in 100 takes longer; the line shows how that went while this page was open", sign: () => null, cell: (one) => [line(one).element, milliseconds(one.answers ? one.now.sync_p99_ms : null)] },
        { title: "Loop p99", kind: "number", hint: "How late its event loop is", cell: (one) => milliseconds(one.answers ? one.now.lag_p99_ms : null) },
        { title: "Watches", kind: "number", cell: (one) => answered(one, count(one.watches)) },
        { title: "On disk", kind: "number", cell: (one) => answered(one, size(one.size)) },
        { title: "Memory", kind: "number", cell: (one) => answered(one, size(one.memory)) },
        { title: "Up", kind: "number", cell: (one) => (one.answers ? span(Math.floor(one.uptime_s)) : one.silent_s ? `silent ${span(one.silent_s)}` : NOTHING) },
      ],
    });
    const alarms = table({
      caption: "Alarms",
      key: (alarm) => alarm.member + alarm.alarm,
      empty: empty("good", "No alarms", "An alarm stands here when a member has no room left, or when data differs between members."),
      columns: [
        { title: "Alarm", head: true, sign: (alarm) => alarm.alarm, cell: (alarm) => tag(alarm.alarm, "bad") },
        { title: "Member", cell: (alarm) => picture.members.find((one) => one.id === alarm.member)?.name ?? alarm.member },
      ],
    });
    const where = table({
      caption: "Addresses of the members",
      key: (member) => member.id,
      columns: [
        { title: "Member", head: true, cell: (one) => one.name || "unnamed" },
        { title: "Id", cell: (one) => one.id, kind: "mono" },
        { title: "Clients", cell: (one) => one.client_urls.join(", ") || NOTHING },
        { title: "Peers", cell: (one) => one.peer_urls.join(", ") },
        { title: "Version", cell: (one) => one.version ?? NOTHING },
        { title: "Clock", kind: "number", hint: "How far it is ahead of the clock of the member that was asked", cell: (one) => clock(one, picture) },
      ],
    });
    const membersNote = h("span", { class: "note" });
    content.append(
      state,
      numbers,
      card("Members", { note: membersNote }, members.element),
      h("div", { class: "columns uneven" }, card("Addresses", {}, where.element), card("Alarms", {}, alarms.element)),
    );

    return {
      update(answer) {
        picture = { ...answer, members: answer.members.toSorted((one, other) => one.name.localeCompare(other.name, "en", { numeric: true })) };
        for (const member of picture.members) if (member.answers && member.now.sync_p99_ms !== null) line(member).add(member.now.sync_p99_ms);
        const now = JSON.stringify(picture.findings);
        if (now !== said) {
          state.replaceChildren(verdict(picture.findings));
          if (said !== null && picture.findings.length) announce(`${picture.findings[0].subject}: ${picture.findings[0].text}`);
          said = now;
        }
        numbers.replaceChildren(...figuresOf(figures(picture)).children);
        setText(membersNote, `${plural(picture.members.filter((one) => !one.learner).length, "voter")}, cluster ${picture.cluster}`);
        members.update(picture.members);
        where.update(picture.members);
        alarms.update(picture.alarms);
      },
    };
  },
};

function clock(member, picture) {
  if (member.id === picture.asked) return NOTHING;
  const asked = picture.members.find((one) => one.id === picture.asked);
  const ahead = asked?.clocks?.[member.id];
  return ahead === undefined ? NOTHING : `${ahead < 0 ? "−" : "+"}${milliseconds(Math.abs(ahead) * 1000)}`;
}
