// Elements out of values. Text becomes text and nothing else: there is no way from here to markup.

import { NOTHING } from "./format.js";

const SVG = "http://www.w3.org/2000/svg";

/** An element. `attributes`: `class`, `onclick` and the like; null and false leave one out. `children`: nodes, texts, lists. */
export function h(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** As `h`, for drawings. */
export function s(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "style") for (const [property, its] of Object.entries(value)) element.style.setProperty(property, its);
    else if (name === "value") element.value = value;
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Sets an element's content where it differs, so that what is not changed keeps its place, focus and selection. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

const ICONS = {
  cluster: "M8 2.2a1.8 1.8 0 1 0 0 3.6 1.8 1.8 0 0 0 0-3.6M3.3 10.2a1.8 1.8 0 1 0 0 3.6 1.8 1.8 0 0 0 0-3.6M12.7 10.2a1.8 1.8 0 1 0 0 3.6 1.8 1.8 0 0 0 0-3.6M7.1 5.6 4.2 10.4M8.9 5.6l2.9 4.8M5.1 12h5.8",
  keys: "M10.5 2.5a3 3 0 1 0 0 6 3 3 0 0 0 0-6M8.4 7.6 2.5 13.5M4.6 11.4l1.8 1.8",
  leases: "M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2M8 4.8V8l2.2 1.6",
  locks: "M4 7.5h8v6H4zM5.5 7.5V5.2a2.5 2.5 0 0 1 5 0v2.3",
  jobs: "M2 3.5h6M4.5 8H11M7 12.5h7",
  quorums: "M8 1.8a6.2 6.2 0 1 0 0 12.4A6.2 6.2 0 0 0 8 1.8M8 5.2v.1M5.4 9.7v.1M10.6 9.7v.1",
  events: "M2 8.5h2.6L6.4 4l3 8 1.7-3.5H14",
  good: "M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2M5.4 8.2l1.8 1.8 3.4-3.8",
  warn: "M8 2.4 1.8 13.2h12.4zM8 6.6v3M8 11.4v.1",
  bad: "M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2M8 5v3.6M8 10.9v.1",
  info: "M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2M8 7.4V11M8 5.1v.1",
  turn: "M6 3.5 10.5 8 6 12.5",
  auto: "M2.5 3.5h11v7.5h-11zM6 13.5h4",
  light: "M8 5.4a2.6 2.6 0 1 0 0 5.2 2.6 2.6 0 0 0 0-5.2M8 1.6v1.3M8 13.1v1.3M1.6 8h1.3M13.1 8h1.3M3.5 3.5l.9.9M11.6 11.6l.9.9M12.5 3.5l-.9.9M4.4 11.6l-.9.9",
  dark: "M13 9.6A5.4 5.4 0 0 1 6.4 3 5.4 5.4 0 1 0 13 9.6",
};

/** A small drawing that says nothing by itself: what it stands for is written beside it. */
export function icon(name, extra = "") {
  return s("svg", { class: `icon ${extra}`, viewBox: "0 0 16 16", "aria-hidden": "true" }, s("path", { d: ICONS[name] }));
}

/** A word with a colour. */
export function tag(text, kind = "") {
  return h("span", { class: `tag ${kind}` }, text);
}

/** A name that strangers chose. */
export function name(text, extra = "") {
  return h("span", { class: `name ${extra}`, dir: "auto" }, text);
}

/** What is there when there is nothing. */
export function empty(drawing, title, text) {
  return h("div", { class: "empty" }, icon(drawing), h("b", {}, title), h("p", {}, text));
}

/** A card with a heading. */
export function card(title, { note = null, right = null, level = "h2" } = {}, ...body) {
  return h("section", { class: "card", "aria-label": title }, h("header", {}, h(level, {}, title), note, right && h("div", { class: "right buttons" }, right)), body);
}

/** A list of names and values. */
export function facts(rows, kind = "facts") {
  return h("dl", { class: kind }, rows.filter(Boolean).map(([term, value, title]) => h("div", { title }, h("dt", {}, term), h("dd", {}, value ?? NOTHING))));
}

/** Figures that are read from afar. */
export function figures(rows) {
  const list = facts(rows, "figures");
  for (const figure of list.children) figure.className = "figure";
  return list;
}

let announcer = null;

/** Where announcements stand for those who listen instead of looking. */
export function announcements() {
  announcer = h("p", { class: "unseen", role: "status", "aria-live": "polite" });
  return announcer;
}

/** Tells those who listen. */
export function announce(text) {
  if (announcer) announcer.textContent = text;
}
