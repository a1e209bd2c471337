// The frame of the page: who looks, where the views are, whether the node is there.

import { Refusal, ask, call, follow, token, whenRefused } from "./api.js";
import { announce, announcements, h, icon, setText } from "./dom.js";
import { count } from "./format.js";
import { cluster } from "./views/cluster.js";
import { events } from "./views/events.js";
import { job, jobs } from "./views/jobs.js";
import { keys } from "./views/keys.js";
import { lease, leases } from "./views/leases.js";
import { lock, locks } from "./views/locks.js";
import { quorum, quorums } from "./views/quorums.js";

const VIEWS = { cluster, keys, leases, lease, locks, lock, jobs, job, quorums, quorum, events };
const MENU = ["cluster", "keys", "leases", "locks", "jobs", "quorums", "events"];

let session = null;
let stop = () => {};

// --- where we are -------------------------------------------------------------------------------------------------------

/** "#/job?name=mnist" as a view and its parameters. */
function place() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  return { view: path in VIEWS ? path : "cluster", parameters: Object.fromEntries(new URLSearchParams(query)) };
}

/** Another place. Within a view, `replace` leaves no step to go back to. */
export function go(view, parameters = {}, replace = false) {
  const said = Object.entries(parameters).filter(([, value]) => value !== "" && value !== null && value !== undefined);
  const target = `#/${view}${said.length ? `?${new URLSearchParams(said)}` : ""}`;
  if (replace) history.replaceState(null, "", target);
  else location.hash = target;
}

// --- signing in ---------------------------------------------------------------------------------------------------------

function showLogin(message = "") {
  stop();
  stop = () => {};
  session = null;
  const user = h("input", { type: "text", id: "user", autocomplete: "username", required: true, spellcheck: "false", autocapitalize: "none" });
  const password = h("input", { type: "password", id: "password", autocomplete: "current-password", required: true });
  const problem = h("p", { class: "notice bad", role: "alert", hidden: !message }, message);
  const button = h("button", { class: "button first", type: "submit" }, "Sign in");

  async function submit(event) {
    event.preventDefault();
    button.disabled = true;
    try {
      const answer = await call("/v3/auth/authenticate", { name: user.value, password: password.value });
      token.set(answer.token);
      await begin();
    } catch (error) {
      problem.hidden = false;
      setText(problem, error instanceof Refusal ? wordsFor(error) : "The node does not answer.");
      password.value = "";
      password.focus();
    } finally {
      button.disabled = false;
    }
  }

  document.title = "Sign in · raftkv";
  const form = h(
    "form",
    { class: "gate-card", onsubmit: submit },
    h("div", { class: "brand" }, h("img", { src: "icon.svg", alt: "" }), "raftkv"),
    h("h1", {}, "Sign in"),
    problem,
    h("div", { class: "field" }, h("label", { for: "user" }, "User"), user),
    h("div", { class: "field" }, h("label", { for: "password" }, "Password"), password),
    button,
  );
  document.body.replaceChildren(h("main", { class: "gate" }, form));
  user.focus();
}

function wordsFor(refusal) {
  if (/authentication failed/.test(refusal.message)) return "No user has this name and password.";
  if (/authentication is not enabled/.test(refusal.message)) return "Authentication has been switched off. Load the page again.";
  return refusal.message;
}

async function signOut() {
  token.forget();
  showLogin();
}

// --- the frame ----------------------------------------------------------------------------------------------------------

function themeSwitch() {
  const theme = globalThis.raftkvTheme;
  const choices = [["auto", "As the system"], ["light", "Light"], ["dark", "Dark"]];
  const buttons = choices.map(([value, title]) =>
    h("button", { type: "button", role: "radio", title, "aria-label": title, onclick: () => choose(value), onkeydown: (event) => move(event, value) }, icon(value)),
  );
  function choose(value, focus = false) {
    theme.set(value);
    choices.forEach(([one], at) => {
      buttons[at].setAttribute("aria-checked", String(one === value));
      buttons[at].tabIndex = one === value ? 0 : -1;
      if (one === value && focus) buttons[at].focus();
    });
  }
  function move(event, value) {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const at = choices.findIndex(([one]) => one === value);
    choose(choices[(at + step + choices.length) % choices.length][0], true);
  }
  choose(theme.get());
  return h("div", { class: "switch", role: "radiogroup", "aria-label": "Colours" }, buttons);
}

function frame() {
  const links = MENU.map((view) => h("a", { href: `#/${view}` }, icon(view), VIEWS[view].title));
  const node = h("dd", { class: "name" });
  const version = h("dd");
  const title = h("h1", { tabindex: "-1" });
  const pulse = h("div", { class: "pulse" });
  const trouble = h("div", { role: "alert" });
  const content = h("div", { class: "view" });
  const user = session.auth && h("div", {}, h("dt", { class: "unseen" }, "User"), h("dd", {}, `${session.user} `, h("button", { class: "button quiet", type: "button", onclick: signOut }, "Sign out")));
  const side = h(
    "div",
    { class: "side" },
    h("a", { class: "brand", href: "#/cluster" }, h("img", { src: "icon.svg", alt: "" }), "raftkv"),
    h("nav", { class: "nav", "aria-label": "Views" }, h("ul", {}, links.map((link) => h("li", {}, link)))),
    h("footer", { class: "side-foot" }, h("dl", {}, h("dt", {}, "Node"), node, h("dt", {}, "Version"), version), user && h("dl", { class: "who" }, user), themeSwitch()),
  );
  const main = h("main", { class: "main", id: "main", tabindex: "-1" }, h("header", { class: "head" }, title, pulse), trouble, content);
  const skip = h("a", { class: "skip", href: "#main", onclick: (event) => (event.preventDefault(), title.focus()) }, "Skip to the content");
  document.body.replaceChildren(skip, h("div", { class: "app" }, side, main), announcements());
  setText(node, session.name);
  setText(version, session.version);
  return { links, title, pulse, trouble, content };
}

function showPulse(parts, pulse, before) {
  const alarms = pulse.alarms ? h("span", { class: "tag bad" }, `${count(pulse.alarms)} ${pulse.alarms === 1 ? "alarm" : "alarms"}`) : null;
  const lost = pulse.lost.length ? h("span", { class: "tag bad" }, `${pulse.lost.join(", ")} away`) : null;
  const leader = pulse.leader ? h("span", {}, "Leader ", h("b", { class: "name" }, pulse.leader_name || pulse.leader)) : h("span", { class: "tag bad" }, "No leader");
  parts.pulse.replaceChildren(...[alarms, lost, leader, h("span", {}, "Revision ", h("b", {}, count(pulse.revision)))].filter(Boolean));
  if (before && before.leader !== pulse.leader) announce(pulse.leader ? `${pulse.leader_name} leads now.` : "There is no leader.");
}

// --- views --------------------------------------------------------------------------------------------------------------

function show(parts) {
  stop();
  const { view, parameters } = place();
  const shown = VIEWS[view];
  const listed = shown.menu ?? view;
  parts.links.forEach((link, at) => (MENU[at] === listed ? link.setAttribute("aria-current", "page") : link.removeAttribute("aria-current")));
  parts.links[MENU.indexOf(listed)].scrollIntoView({ block: "nearest", inline: "nearest" }); // a phone has no room for all of them
  setText(parts.title, shown.heading?.(parameters) ?? shown.title);
  document.title = `${parts.title.textContent} · raftkv`;
  parts.trouble.replaceChildren();
  parts.content.replaceChildren();
  parts.content.setAttribute("aria-busy", "true");
  const running = shown.open(parts.content, parameters, { session, go });
  let leave = followView(parts, running, view);
  running.again = (changed) => {
    leave();
    running.parameters = changed;
    leave = followView(parts, running, view);
  };
  stop = () => {
    leave();
    running.close?.();
    stop = () => {};
  };
}

function followView(parts, running, view) {
  let before = null;
  let misses = 0;
  return follow(running.topic ?? view, running.parameters, {
    answer(answer) {
      parts.content.removeAttribute("aria-busy");
      running.update(answer);
    },
    pulse(pulse) {
      if (misses) {
        parts.trouble.replaceChildren();
        if (misses > 1) announce(`${pulse.name} answers again.`);
        misses = 0;
      }
      showPulse(parts, pulse, before);
      running.pulse?.(pulse);
      before = pulse;
      session = { ...session, ...pulse };
    },
    trouble(refusal) {
      const words = refusal.code === 7 ? `${session.user} may not see this.` : refusal.message;
      parts.trouble.replaceChildren(h("p", { class: "notice bad" }, icon("bad"), words));
    },
    lost() {
      misses += 1;
      if (misses === 2) parts.trouble.replaceChildren(lostNotice());
    },
  });
}

/** The node is gone, or the way to it. The others can be asked, at pages of their own. */
function lostNotice() {
  const others = (session.peers ?? []).filter((url) => URL.canParse(url)).map((url) => h("a", { href: `${new URL(url).origin}/ui/${location.hash}` }, new URL(url).host));
  const ways = others.length ? [" Other members: ", ...others.flatMap((link, at) => (at ? [", ", link] : [link])), "."] : null;
  return h("div", { class: "notice bad" }, icon("bad"), h("div", { class: "grow" }, h("span", {}, h("b", {}, `${session.name || "The node"} does not answer.`), " What is shown may be out of date; trying again.", ways)));
}

async function begin() {
  session = await ask("session");
  const parts = frame();
  show(parts);
  let first = true;
  window.onhashchange = () => {
    show(parts);
    parts.title.focus({ preventScroll: !first });
    first = false;
    scrollTo(0, 0);
  };
}

whenRefused(() => {
  window.onhashchange = null;
  const had = token.get() !== null;
  token.forget();
  if (document.querySelector("form.gate-card")) return;
  showLogin(had ? "Your session has ended. Sign in again." : "");
});

async function start() {
  try {
    await begin();
  } catch (error) {
    if (error instanceof Refusal && error.stranger) return;
    document.body.replaceChildren(h("main", { class: "gate" }, h("p", { class: "notice bad", role: "alert" }, `The node does not answer: ${error.message}. Trying again.`)));
    setTimeout(start, 2000);
  }
}

start();
