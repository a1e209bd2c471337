// Small pictures. Each is hidden from those who listen, who have the numbers beside it.

import { s } from "./dom.js";
import { span } from "./format.js";

/** The last values of something, as a line. */
export function sparkline() {
  const path = s("path", {});
  const element = s("svg", { class: "spark", viewBox: "0 0 100 20", preserveAspectRatio: "none", "aria-hidden": "true" }, path);
  const values = [];
  return {
    element,
    add(value) {
      values.push(value ?? 0);
      if (values.length > 60) values.shift();
      const top = Math.max(...values, 1e-9);
      const points = values.map((one, at) => `${((at + 60 - values.length) / 59) * 100},${(19 - (one / top) * 17).toFixed(1)}`);
      path.setAttribute("d", points.length > 1 ? `M${points.join("L")}` : "");
    },
  };
}

/** Ranks as small squares, by state: `states` has a letter for each. One path for each state, however many ranks there are. */
export function rankGrid(states, pixels) {
  const cell = states.length > 2048 ? 6 : states.length > 512 ? 10 : 14;
  const wide = Math.max(1, Math.min(states.length, Math.floor(pixels / cell)));
  const paths = new Map();
  for (let rank = 0; rank < states.length; rank += 1) {
    const at = `M${(rank % wide) * cell} ${Math.floor(rank / wide) * cell}h${cell - 2}v${cell - 2}h${2 - cell}z`;
    paths.set(states[rank], (paths.get(states[rank]) ?? "") + at);
  }
  const high = Math.ceil(states.length / wide) * cell;
  const drawn = [...paths].map(([state, path]) => s("path", { class: state, d: path }));
  return s("svg", { class: "ranks", width: wide * cell, height: high, viewBox: `0 0 ${wide * cell} ${high}`, "aria-hidden": "true" }, drawn);
}

const LEFT = 64;
const ROW = 20;

/** Rounds as bars over time: open, at work. `now`: seconds since 1970. `wide`: pixels. Rounds without times are left out: they stand in the table. */
export function timeline(rounds, now, closed, wide) {
  const timed = rounds.filter((round) => round.opened_at ?? round.formed_at).slice(-12);
  if (!timed.length) return null;
  const began = timed[0].opened_at ?? timed[0].formed_at;
  const ended = closed ? (timed.at(-1).ended_at ?? now) : now;
  const length = Math.max(ended - began, 1);
  const x = (at) => LEFT + ((Math.min(at, ended) - began) / length) * (wide - LEFT - 24);
  const high = timed.length * ROW;
  const marks = ticks(length, Math.max(2, Math.floor(wide / 110))).map((at) =>
    s("g", {}, s("line", { class: "grid", x1: x(began + at), x2: x(began + at), y1: 0, y2: high + 2 }), s("text", { x: x(began + at), y: high + 16, "text-anchor": "middle" }, at ? span(at) : "0")),
  );
  const bars = timed.map((round, row) => {
    const until = round.ended_at ?? ended;
    const opened = round.opened_at ?? round.formed_at;
    const worked = round.formed_at;
    const bar = (from, to, kind) => s("rect", { class: kind, x: x(from), y: row * ROW + 4, width: Math.max(x(to) - x(from), 2), height: ROW - 8, rx: 2 });
    return s(
      "g",
      {},
      s("text", { class: "label", x: 0, y: row * ROW + 14 }, `Round ${round.round}`),
      opened < (worked ?? until) && bar(opened, worked ?? until, "open"),
      worked && bar(worked, until, round.ended_at ? (round.won ? "good" : "over") : "work"),
    );
  });
  return s("svg", { class: "timeline", width: wide, height: high + 20, viewBox: `0 0 ${wide} ${high + 20}`, "aria-hidden": "true" }, marks, bars);
}

function ticks(length, most) {
  const steps = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 43200, 86400];
  const step = steps.find((one) => length / one <= most) ?? Math.ceil(length / most / 86400) * 86400;
  return Array.from({ length: Math.floor(length / step) + 1 }, (_, at) => at * step);
}
