// What the page says to its node: questions, streams of answers, and the JSON gateway's methods.
//
// The token is kept for this tab alone and goes into a header, never into a URL; there are no cookies, so no other site can
// make a browser send it.

const TOKEN = "raftkv.token";

let refused = () => {};

/** What happens when the node no longer knows who asks. */
export function whenRefused(callback) {
  refused = callback;
}

export const token = {
  get: () => sessionStorage.getItem(TOKEN),
  set: (text) => sessionStorage.setItem(TOKEN, text),
  forget: () => sessionStorage.removeItem(TOKEN),
};

/** An answer that says no. `code` is gRPC's. */
export class Refusal extends Error {
  constructor(code, message) {
    super(message);
    this.code = code;
  }

  /** Whether it helps to say again who one is. */
  get stranger() {
    return this.code === 16 || /user name is empty|revision of auth store is old/.test(this.message);
  }
}

function headers(more = {}) {
  const known = token.get();
  return known ? { Authorization: known, ...more } : more;
}

async function checked(response) {
  if (response.ok) return response;
  let said = {};
  try {
    said = await response.json();
  } catch {
    // no JSON: something between here and the node has answered
  }
  const refusal = new Refusal(said.code ?? 2, said.message ?? `${response.status} ${response.statusText}`);
  if (refusal.stranger) refused(refusal);
  throw refusal;
}

function query(parameters) {
  const said = Object.entries(parameters).filter(([, value]) => value !== "" && value !== null && value !== undefined);
  return said.length ? `?${new URLSearchParams(said)}` : "";
}

/** Asks the dashboard's own questions. */
export async function ask(question, parameters = {}) {
  const response = await checked(await fetch(`api/${question}${query(parameters)}`, { headers: headers(), cache: "no-store" }));
  return response.json();
}

/** Calls a method of the JSON gateway. */
export async function call(path, request, more = {}) {
  const response = await checked(await fetch(path, { method: "POST", headers: headers({ "Content-Type": "application/json", ...more }), body: JSON.stringify(request) }));
  return response.json();
}

const ATTEMPTS = 3;

/** As `call`, for what changes something: sent again where no answer came, under an id that lets it be applied once at most. */
export async function write(path, request) {
  const id = Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await call(path, request, { "raftkv-request-id": `${id}-1` });
    } catch (error) {
      if (error instanceof Refusal || attempt === ATTEMPTS) throw error;
      await new Promise((resume) => setTimeout(resume, 300 * attempt));
    }
  }
}

async function* chunks(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

/** Cuts a stream of text at a separator. */
async function* pieces(response, separator) {
  let rest = "";
  for await (const chunk of chunks(response)) {
    const parts = (rest + chunk).split(separator);
    rest = parts.pop();
    yield* parts.filter(Boolean);
  }
}

/** A method of the gateway that streams, as an object for each line; ends when `signal` says so. */
export async function* stream(path, request, signal) {
  const response = await checked(await fetch(path, { method: "POST", headers: headers({ "Content-Type": "application/json" }), body: JSON.stringify(request), signal }));
  for await (const line of pieces(response, "\n")) {
    const said = JSON.parse(line);
    if (said.error) throw new Refusal(said.error.grpc_code, said.error.message);
    yield said.result;
  }
}

const SILENCE_MS = 5000;

/**
 * Asks a question again and again (raftkv.ui.live), over connections that come and go, until the returned function is called.
 *
 * on.answer(answer), on.pulse(pulse), on.trouble(refusal), on.lost(): each may be left out.
 */
export function follow(topic, parameters, on) {
  let stopped = false;
  let waited = 0;
  let attempt = new AbortController();

  async function once() {
    attempt = new AbortController();
    let watchdog = setTimeout(() => attempt.abort(), SILENCE_MS);
    try {
      const path = `api/live${query({ topic, ...parameters })}`;
      const response = await checked(await fetch(path, { headers: headers(), signal: attempt.signal, cache: "no-store" }));
      for await (const event of pieces(response, "\n\n")) {
        if (stopped) return;
        clearTimeout(watchdog);
        watchdog = setTimeout(() => attempt.abort(), SILENCE_MS);
        waited = 0;
        tell(event);
      }
    } finally {
      clearTimeout(watchdog);
    }
  }

  function tell(event) {
    const [first, second] = event.split("\n");
    const name = first.slice("event: ".length);
    const said = JSON.parse(second.slice("data: ".length));
    if (name === "pulse") on.pulse?.(said);
    else if (name === topic) on.answer?.(said);
    else if (name === "trouble") throw new Refusal(said.code, said.message);
  }

  async function forever() {
    while (!stopped) {
      try {
        await once();
      } catch (error) {
        if (stopped) return;
        if (error instanceof Refusal) {
          if (error.stranger) refused(error);
          else on.trouble?.(error);
          if (error.code !== 14 && error.code !== 8) return;
        }
      }
      if (stopped) return;
      on.lost?.();
      waited = Math.min(waited ? waited * 2 : 500, 5000);
      await new Promise((resume) => setTimeout(resume, waited));
    }
  }

  forever();
  return () => {
    stopped = true;
    attempt.abort();
  };
}
