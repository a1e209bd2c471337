// Training jobs: rounds in time, ranks on nodes, how far the workers are, what they wait for, what is saved.

import { announce, card, empty, facts, figures, h, icon, name, setText, tag } from "../dom.js";
import { rankGrid, timeline } from "../draw.js";
import { NOTHING, count, moment, plural, span } from "../format.js";
import { list } from "../list.js";
import { pager, table } from "../table.js";
import { quorumLink } from "./quorums.js";

const RANKS = 50;

function phase(job) {
  if (job.phase === "formed") return job.preemption ? tag("stopping", "warn") : tag("at work", "good");
  if (job.phase === "gathering") return tag("gathering", "warn");
  if (job.outcome === "succeeded") return tag("succeeded", "good");
  return tag(job.outcome === "undecided" ? "closed" : job.outcome, job.outcome === "failed" ? "bad" : "");
}

function nodes(job) {
  const range = job.min_nodes === job.max_nodes ? `${job.max_nodes}` : `${job.min_nodes}–${job.max_nodes}`;
  const there = job.phase === "gathering" ? job.ready : job.world_size;
  return [count(there), h("span", { class: "muted small" }, ` of ${range}`)];
}

const jobLink = (job) => h("a", { class: "name", href: `#/job?${new URLSearchParams({ name: job })}` }, job);

export const jobs = list({
  name: "jobs",
  title: "Jobs",
  heading: "Training jobs",
  search: "Find a name",
  rows: () => ({
    caption: "Training jobs",
    key: (job) => job.name,
    faded: (job) => job.phase === "closed",
    empty: empty("jobs", "No jobs", "A job begins when its first node joins: with torchrun and raftkv's rendezvous, or client.rendezvous(\"name\")."),
    columns: [
      { title: "Job", head: true, kind: "wrap", sign: (job) => job.name, cell: (job) => jobLink(job.name) },
      { title: "State", sign: (job) => job.phase + job.outcome + Boolean(job.preemption), cell: phase },
      { title: "Round", kind: "number", cell: (job) => count(job.round) },
      { title: "Nodes", kind: "number", sign: (job) => `${job.phase}${job.ready}/${job.world_size}/${job.max_nodes}`, cell: nodes },
      { title: "Step", kind: "number", hint: "The highest that was reported", cell: (job) => count(job.step) },
      { title: "Checkpoint", kind: "number", hint: "The step of the newest one that is there as a whole", cell: (job) => count(job.last_checkpoint) },
      { title: "Restarts", kind: "number", cell: (job) => count(job.restarts) },
      { title: "Open barriers", kind: "number", cell: (job) => count(job.open_barriers) },
      { title: "Why", kind: "wrap", cell: (job) => job.reason || NOTHING },
    ],
  }),
  items: (answer) => answer.jobs,
  note: (answer) => (answer.found ? `${count(answer.open)} open, ${count(answer.found - answer.open)} closed` : ""),
});

// --- one job ------------------------------------------------------------------------------------------------------------

const STATES = { w: ["at work", "accent"], d: ["done", "good"], g: ["gone", ""] };

export const job = {
  title: "Job",
  menu: "jobs",
  heading: (parameters) => parameters.name ?? "Job",

  open(content, parameters) {
    const head = h("div", { class: "stack" });
    const time = roundsCard();
    const who = ranksCard(parameters.name, (offset) => running.again({ name: parameters.name, offset, limit: RANKS }));
    const steps = stepsCard();
    const waits = barriersCard();
    const saves = checkpointsCard();
    const rest = h("div", { class: "columns" });
    content.append(head, time.element, who.element, steps.element, h("div", { class: "columns" }, waits.element, saves.element), rest);
    let before = null;

    const running = {
      parameters: { name: parameters.name, offset: 0, limit: RANKS },
      update({ job: found }) {
        if (found === null) {
          content.replaceChildren(card("Job", {}, empty("jobs", "There is no such job", "It was removed, or has not begun yet: it will be here as soon as it does.")));
          return;
        }
        if (!head.isConnected) content.replaceChildren(head, time.element, who.element, steps.element, h("div", { class: "columns" }, waits.element, saves.element), rest);
        head.replaceChildren(...headOf(found));
        for (const part of [time, who, steps, waits, saves]) part.update(found);
        rest.replaceChildren(settings(found), beside(found));
        if (before && before.phase !== found.phase) announce(`${found.name} is ${found.phase} now, round ${found.round}.`);
        before = found;
      },
    };
    return running;
  },
};

function headOf(found) {
  const shown = figures(
    [
      ["State", phase(found)],
      ["Round", count(found.round)],
      ["Nodes", nodes(found)],
      ["Step", count(found.step)],
      ["Restarts", count(found.restarts)],
      ["Last checkpoint", found.last_checkpoint === null ? "none" : count(found.last_checkpoint)],
      ["Fencing token", found.token ? count(found.token) : NOTHING],
      found.quorum !== null && ["Quorum", quorumLink(found.name, count(found.quorum)), "Of torchft's lighthouse"],
    ],
  );
  return [shown, preemption(found), why(found)].filter(Boolean);
}

function preemption({ preemption: notice }) {
  if (!notice) return null;
  const who = notice.node ? `${notice.node} is about to go` : "The job is to stop";
  const what = notice.agreed ? `all stop after step ${count(notice.stop_step)}` : `${plural(notice.answers, "node has", "nodes have")} answered`;
  return h("p", { class: "notice warn" }, icon("warn"), `${who}${notice.reason ? ` (${notice.reason})` : ""}: ${what}.`);
}

function why(found) {
  if (!found.reason) return null;
  const kind = found.phase !== "closed" ? "warn" : found.outcome === "succeeded" ? "good" : found.outcome === "failed" ? "bad" : "info";
  const words = found.phase === "closed" ? "The job ended" : "The last round ended";
  return h("p", { class: `notice ${kind}` }, icon(kind), h("span", {}, `${words}: `, name(found.reason)));
}

function roundsCard() {
  const picture = h("div", { class: "card-body" });
  const rows = table({
    caption: "Rounds of the job, the newest first",
    key: (round) => round.round,
    columns: [
      { title: "Round", head: true, kind: "number", cell: (round) => count(round.round) },
      { title: "Opened", cell: (round) => moment(round.opened_at) },
      { title: "Gathered for", kind: "number", cell: (round) => gathered(round) },
      { title: "At work for", kind: "number", cell: (round) => worked(round) },
      { title: "Nodes", kind: "number", cell: (round) => (round.world_size ? count(round.world_size) : NOTHING) },
      { title: "Token", kind: "number", cell: (round) => (round.token ? count(round.token) : NOTHING) },
      { title: "Step by its end", kind: "number", cell: (round) => count(round.step) },
      { title: "Ended because", kind: "wrap", cell: (round) => round.reason || (round.ended_at ? NOTHING : round.current ? "goes on" : NOTHING) },
    ],
  });
  let now = 0;
  const legend = h("div", { class: "legend" }, [["open", "gathering"], ["work", "at work"], ["over", "over"], ["good", "succeeded"]].map(([kind, words]) => h("span", {}, h("i", { class: kind }), words)));
  const element = card("Rounds", { right: legend }, picture, rows.element);

  function gathered(round) {
    const from = round.opened_at;
    if (!from) return NOTHING;
    const until = round.formed_at ?? round.ended_at ?? now;
    return span(until - from);
  }

  function worked(round) {
    return round.formed_at ? span((round.ended_at ?? now) - round.formed_at) : NOTHING;
  }

  return {
    element,
    update(found) {
      now = Date.now() / 1000;
      const last = found.rounds.at(-1)?.round;
      const rounds = found.rounds.map((round) => ({ ...round, current: round.round === last && found.phase !== "closed", won: round.round === last && found.outcome === "succeeded" }));
      const drawn = timeline(rounds, now, found.phase === "closed", picture.clientWidth - 32);
      picture.replaceChildren(drawn ?? h("p", { class: "muted" }, "This node has not seen a round begin or end since it was started; the log knows no times."));
      legend.hidden = !drawn;
      rows.update(rounds.toReversed());
    },
  };
}

function ranksCard(job, turn) {
  const grid = h("div", {});
  const words = h("p", { class: "muted small" });
  let drawn = "";
  const rows = table({
    caption: "Ranks of the job and the nodes that have them",
    key: (rank) => rank.rank,
    faded: (rank) => rank.state === "g",
    empty: empty("jobs", "No ranks yet", "Ranks are given when a round forms its world."),
    columns: [
      { title: "Rank", head: true, kind: "number", cell: (rank) => count(rank.rank) },
      { title: "Node", sign: (rank) => rank.node, cell: (rank) => name(rank.node) },
      { title: "State", sign: (rank) => rank.state, cell: (rank) => tag(...STATES[rank.state]) },
      { title: "Address", cell: (rank) => rank.address || NOTHING },
      { title: "Where it stands", kind: "wrap", cell: (rank) => rank.segments.join(" › ") || NOTHING },
      { title: "Failures", kind: "number", cell: (rank) => count(rank.failures) },
    ],
  });
  const pages = pager("ranks", RANKS, turn);
  const legend = h("div", { class: "legend" }, [["work", "at work"], ["good", "done"], ["over", "gone"], ["open", "slow"], ["bad", "hangs"]].map(([kind, text]) => h("span", {}, h("i", { class: kind }), text)));
  const element = card("Ranks on nodes", { right: legend }, h("div", { class: "card-body" }, grid, words), rows.element, pages.element);

  return {
    element,
    update(found) {
      const states = shaded(found);
      const wide = grid.clientWidth;
      if (states + wide !== drawn) grid.replaceChildren(rankGrid(states, wide));
      drawn = states + wide;
      legend.hidden = !states;
      setText(words, states ? tally(found) : "");
      words.parentElement.hidden = !states;
      rows.update(found.ranks);
      pages.update(found.offset, found.states.length);
    },
  };
}

/** The states of the ranks, with those whose workers are slow or hang told apart. */
function shaded(found) {
  const letters = [...found.states];
  for (const worker of found.steps?.each ?? []) {
    const rank = worker.node_rank;
    if (letters[rank] !== "w" && letters[rank] !== "s") continue;
    if (worker.hung) letters[rank] = "h";
    else if (worker.straggler) letters[rank] = "s";
  }
  return letters.join("");
}

function tally({ states, steps }) {
  const counts = Object.entries(STATES).map(([letter, [words]]) => [[...states].filter((one) => one === letter).length, words]);
  const ranks = counts.filter(([number]) => number).map(([number, words]) => `${plural(number, "rank")} ${words}`);
  const workers = [[steps?.stragglers, "slow"], [steps?.hung, "hung"]].filter(([number]) => number).map(([number, words]) => `${plural(number, "worker")} ${words}`);
  return [...ranks, ...workers].join(", ");
}

function stepsCard() {
  const note = h("span", { class: "note" });
  const rows = table({
    caption: "Workers and their steps, the slowest first",
    key: (worker) => `${worker.node}/${worker.worker ?? 0}`,
    empty: empty("jobs", "No heartbeats", "Workers that report their steps stand here: how far they are, who is slow, who hangs."),
    columns: [
      { title: "Worker", head: true, sign: (worker) => worker.node, cell: (worker) => [name(worker.node), worker.worker ? ` · ${worker.worker}` : null] },
      { title: "State", sign: (worker) => `${worker.hung}${worker.straggler}`, cell: (worker) => (worker.hung ? tag("hangs", "bad") : worker.straggler ? tag("slow", "warn") : tag("well", "good")) },
      { title: "Step", kind: "number", cell: (worker) => count(Number(worker.step ?? 0)) },
      { title: "A step takes", kind: "number", cell: (worker) => span(worker.step_seconds) },
      { title: "Own work", kind: "number", cell: (worker) => span(worker.work_seconds) },
      { title: "Beside the others", kind: "number", hint: "1 is as fast as the median", cell: (worker) => score(worker.relative_score) },
      { title: "Beside its past", kind: "number", hint: "1 is as fast as it was", cell: (worker) => score(worker.individual_score) },
      { title: "Still for", kind: "number", hint: "Since its step has moved", cell: (worker) => span(worker.still_seconds ?? 0) },
    ],
  });
  const element = card("Steps", { note }, rows.element);
  return {
    element,
    update({ steps }) {
      const workers = [...(steps?.each ?? [])].sort((one, other) => Number(other.hung ?? 0) - Number(one.hung ?? 0) || (one.score ?? 0) - (other.score ?? 0));
      rows.update(workers.slice(0, 100));
      setText(note, steps?.workers ? `steps ${count(Number(steps.lowest_step ?? 0))} to ${count(Number(steps.highest_step ?? 0))}, ${plural(steps.workers ?? 0, "worker")}, ${count(steps.stragglers ?? 0)} slow, ${count(steps.hung ?? 0)} hung` : "");
    },
  };
}

const score = (number) => (number === undefined ? NOTHING : number.toFixed(2));

function barriersCard() {
  const kinds = { open: "accent", passed: "good", timed_out: "bad", canceled: "warn" };
  const rows = table({
    caption: "Barriers of the world",
    key: (barrier) => barrier.name,
    empty: empty("locks", "No barriers", "Named barriers of this round stand here, with the ranks that are missing."),
    columns: [
      { title: "Barrier", head: true, kind: "wrap", sign: (barrier) => barrier.name, cell: (barrier) => name(barrier.name) },
      { title: "State", sign: (barrier) => barrier.outcome, cell: (barrier) => tag(barrier.outcome.replace("_", " "), kinds[barrier.outcome]) },
      { title: "There", kind: "number", cell: (barrier) => `${count(barrier.arrived)} of ${count(barrier.expected)}` },
      { title: "Missing ranks", kind: "wrap", cell: (barrier) => missing(barrier.missing.map((one) => `${one.rank ?? "?"} (${one.node})`), barrier.expected - barrier.arrived) },
    ],
  });
  return { element: card("Barriers", {}, rows.element), update: (found) => rows.update(found.barriers) };
}

function missing(shown, total) {
  if (!total) return NOTHING;
  const first = shown.slice(0, 12);
  const rest = total - first.length;
  return first.join(", ") + (rest > 0 ? ` and ${count(rest)} more` : "");
}

function checkpointsCard() {
  const rows = table({
    caption: "Checkpoints of the job, the newest first",
    key: (checkpoint) => `${checkpoint.step}${checkpoint.whole}`,
    empty: empty("leases", "No checkpoints", "A checkpoint stands here when the first rank has announced its part."),
    columns: [
      { title: "Step", head: true, kind: "number", cell: (checkpoint) => count(checkpoint.step) },
      { title: "State", sign: (checkpoint) => String(checkpoint.whole), cell: (checkpoint) => (checkpoint.whole ? tag("whole", "good") : tag("being written", "accent")) },
      { title: "Parts", kind: "number", cell: (checkpoint) => `${count(checkpoint.parts)} of ${count(checkpoint.world_size)}` },
      { title: "Round", kind: "number", cell: (checkpoint) => count(checkpoint.round) },
      { title: "Missing ranks", kind: "wrap", cell: (checkpoint) => (checkpoint.whole ? NOTHING : missing(checkpoint.missing, checkpoint.world_size - checkpoint.parts)) },
    ],
  });
  return {
    element: card("Checkpoints", {}, rows.element),
    update(found) {
      const written = found.writing.map((one) => ({ ...one, whole: false, round: found.round }));
      rows.update([...written, ...found.checkpoints.map((one) => ({ ...one, whole: true, parts: one.world_size }))]);
    },
  };
}

function settings(found) {
  const rows = Object.entries(found.settings).map(([key, value]) => [key.replace(/_ms$/, "").replaceAll("_", " "), key.endsWith("_ms") ? span(Number(value) / 1000) : String(value)]);
  return card("Settings", {}, h("div", { class: "card-body" }, facts(rows)));
}

function beside(found) {
  const out = [...found.excluded.map((one) => [one.node, tag("excluded", "bad"), one.reason || NOTHING]), ...found.beside.awaited.map((node) => [node, tag("awaited", "warn"), "was in the last world, and has not come back yet"]), ...found.beside.ready.map((node) => [node, tag(found.beside.role, "accent"), WORDS[found.beside.role]])];
  const rows = table({
    caption: "Nodes without a rank",
    key: ([node]) => node,
    empty: empty("jobs", "Nobody beside the world", "Spares, nodes that wait for the next round, and nodes that are kept out stand here."),
    columns: [
      { title: "Node", head: true, sign: ([node]) => node, cell: ([node]) => name(node) },
      { title: "Role", sign: ([, role]) => role.textContent, cell: ([, role]) => role },
      { title: "Why", kind: "wrap", cell: ([, , words]) => words },
    ],
  });
  rows.update(out);
  return card("Beside the world", {}, rows.element);
}

const WORDS = { ready: "has joined the open round", spare: "takes over when somebody dies", waiting: "the next round takes it in" };
