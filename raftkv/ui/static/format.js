// Numbers and times as people read them.

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const calendar = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric" });

export const NOTHING = "–";

export function count(number) {
  return number === null || number === undefined ? NOTHING : whole.format(number);
}

export function plural(number, one, many = `${one}s`) {
  return `${count(number)} ${number === 1 ? one : many}`;
}

export function size(bytes) {
  if (bytes === null || bytes === undefined) return NOTHING;
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let at = 0;
  let left = bytes;
  while (left >= 1024 && at < units.length - 1) {
    left /= 1024;
    at += 1;
  }
  return `${at && left < 10 ? left.toFixed(1) : Math.round(left)} ${units[at]}`;
}

export function rate(number) {
  if (number === null || number === undefined) return NOTHING;
  return number < 10 && number > 0 ? number.toFixed(1) : whole.format(number);
}

export function milliseconds(number) {
  if (number === null || number === undefined) return NOTHING;
  return number < 10 ? `${number.toFixed(1)} ms` : number < 10_000 ? `${Math.round(number)} ms` : `${Math.round(number / 1000)} s`;
}

/** A span of time, with at most two units. */
export function span(seconds) {
  if (seconds === null || seconds === undefined) return NOTHING;
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 10) return `${seconds.toFixed(1).replace(/\.0$/, "")} s`;
  const parts = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];
  const first = parts.findIndex(([, length]) => seconds >= length);
  const [unit, length] = parts[first];
  const rest = parts[first + 1];
  const left = rest ? Math.floor((seconds % length) / rest[1]) : 0;
  return `${Math.floor(seconds / length)} ${unit}${left ? ` ${left} ${rest[0]}` : ""}`;
}

/** A moment: the time of day, and the date where it is not today's. */
export function moment(unix) {
  if (unix === null || unix === undefined) return NOTHING;
  const date = new Date(unix * 1000);
  const today = new Date().toDateString() === date.toDateString();
  return today ? clock.format(date) : `${calendar.format(date)}, ${clock.format(date)}`;
}
