// Keys and values are bytes. Shown as text they can be told apart and typed again:
//
//   printable text   as it is            a backslash   \\
//   other bytes      \x00                what nobody can see (marks of direction, spaces without width)   \u{202e}

const HIDDEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cn}\\]/gu;
const ESCAPED = /\\(?:\\|x([0-9a-fA-F]{2})|u\{([0-9a-fA-F]{1,6})\})/g;

/** Base64, of either alphabet, as bytes. */
export function fromBase64(text) {
  const plain = atob((text ?? "").replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(plain, (letter) => letter.charCodeAt(0));
}

/** Bytes as base64. */
export function toBase64(bytes) {
  let plain = "";
  for (let at = 0; at < bytes.length; at += 8192) plain += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return btoa(plain);
}

/** Bytes as base64 that URLs can hold. */
export function toUrl(bytes) {
  return toBase64(bytes).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

/** The text that bytes are, or null where they are none. */
export function textOf(bytes) {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}

/** Whether bytes can be edited as text: no byte would be lost or unseen. */
export function isPlain(bytes) {
  const text = textOf(bytes);
  return text !== null && !/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cn}]/u.test(text.replace(/[\n\t]/g, ""));
}

const hex = (number, digits) => number.toString(16).padStart(digits, "0");

/** Bytes as one line of text. */
export function show(bytes) {
  const text = textOf(bytes);
  if (text !== null) return text.replace(HIDDEN, (mark) => escapeMark(mark));
  return Array.from(bytes, (byte) => (byte >= 32 && byte < 127 && byte !== 92 ? String.fromCharCode(byte) : byte === 92 ? "\\\\" : `\\x${hex(byte, 2)}`)).join("");
}

function escapeMark(mark) {
  if (mark === "\\") return "\\\\";
  const point = mark.codePointAt(0);
  return point < 128 ? `\\x${hex(point, 2)}` : `\\u{${hex(point, 1)}}`;
}

/** What `show` showed, as bytes again. */
export function parse(text) {
  const parts = [];
  let at = 0;
  for (const found of text.matchAll(ESCAPED)) {
    parts.push(utf8(text.slice(at, found.index)));
    if (found[1]) parts.push(Uint8Array.of(parseInt(found[1], 16)));
    else if (found[2]) parts.push(utf8(String.fromCodePoint(Math.min(parseInt(found[2], 16), 0x10ffff))));
    else parts.push(utf8("\\"));
    at = found.index + found[0].length;
  }
  parts.push(utf8(text.slice(at)));
  return join(parts);
}

export function utf8(text) {
  return new TextEncoder().encode(text);
}

export function join(parts) {
  const whole = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** The end of the range of all keys that begin so, as requests name it. */
export function prefixEnd(prefix) {
  let size = prefix.length;
  while (size && prefix[size - 1] === 255) size -= 1;
  if (!size) return Uint8Array.of(0);
  const end = prefix.slice(0, size);
  end[size - 1] += 1;
  return end;
}

/** Bytes as an editor of hexadecimal shows them: place, sixteen bytes, what is printable of them. */
export function dump(bytes, limit = 4096) {
  const lines = [];
  for (let at = 0; at < Math.min(bytes.length, limit); at += 16) {
    const row = bytes.subarray(at, at + 16);
    const digits = Array.from(row, (byte) => hex(byte, 2)).join(" ").padEnd(47);
    const letters = Array.from(row, (byte) => (byte >= 32 && byte < 127 ? String.fromCharCode(byte) : "·")).join("");
    lines.push(`${hex(at, 6)}  ${digits}  ${letters}`);
  }
  if (bytes.length > limit) lines.push(`… ${bytes.length - limit} more bytes`);
  return lines.join("\n");
}
