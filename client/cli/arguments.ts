/**
 * Values of options.
 *
 * @module
 */
import { parseDate, parseTime } from "../readers/values.ts";
import { InvalidArgumentError } from "./deps.ts";

const DURATION_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

/** `90s`, `15m`, `24h`, `7d`: milliseconds. */
export function parseDuration(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d|w)$/.exec(text);
  if (match === null) throw new InvalidArgumentError("It must be a duration such as 90s, 15m, 24h or 7d.");
  const ms = Number(match[1]) * DURATION_MS[match[2]];
  const whole = Math.round(ms);
  // Of what is not exact in binary, such as 1.001s, there is a rest.
  if (Number.isSafeInteger(whole) && Math.abs(ms - whole) < 1e-6) return whole;
  throw new InvalidArgumentError("It must be a whole number of milliseconds, and below 285,000 years.");
}

/** A duration that is one. */
export function parseStep(text: string): number {
  const ms = parseDuration(text);
  if (ms > 0) return ms;
  throw new InvalidArgumentError("It must be longer than 0.");
}

/** The character between two fields; `\\t` is a tab. */
export function parseDelimiter(text: string): string {
  const char = text === "\\t" ? "\t" : text;
  if (char.length === 1 && !'"\r\n'.includes(char)) return char;
  throw new InvalidArgumentError("It must be one character, and no quote or line end; \\t is a tab.");
}

/** The name of an encoding. */
export function parseEncoding(text: string): string {
  try {
    return new TextDecoder(text).encoding;
  } catch {
    throw new InvalidArgumentError("It must be the name of an encoding, such as utf-8, utf-16le or iso-8859-1.");
  }
}

/** A date and time, a number since the epoch, `now`, or a duration before now: milliseconds since the epoch. */
export function parseMoment(text: string): bigint {
  if (text === "now") return BigInt(Date.now());
  const ago = /^-?(\d.*[a-z])$/.exec(text);
  if (ago !== null && parseDate(text) === undefined) return BigInt(Math.floor(Date.now() - parseDuration(ago[1])));
  try {
    return BigInt(parseTime(text));
  } catch {
    throw new InvalidArgumentError(
      "It must be a time such as 2026-11-24T10:00:00Z, 1795500000, now, or 24h for so long ago.",
    );
  }
}

/** A whole number in a range. */
export function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= min && value <= max) return value;
    throw new InvalidArgumentError(`It must be a whole number from ${min} to ${max}.`);
  };
}

/** `name=value`, as often as need be. */
export function collectPairs(text: string, before: Record<string, string> = {}): Record<string, string> {
  const at = text.indexOf("=");
  if (at < 1) throw new InvalidArgumentError("It must be name=value.");
  return { ...before, [text.slice(0, at)]: text.slice(at + 1) };
}

/** Names, parted by commas. */
export function commaSeparated(text: string): string[] {
  return text.split(",").map((part) => part.trim()).filter((part) => part !== "");
}

/** A quantile such as `0.95` or `p95`; several, parted by commas. */
export function parseQuantiles(text: string): number[] {
  return commaSeparated(text).map((part) => {
    const value = part.startsWith("p") ? Number(part.slice(1)) / 100 : Number(part);
    if (value >= 0 && value <= 1) return value;
    throw new InvalidArgumentError("It must be quantiles such as 0.5,0.95 or p50,p95.");
  });
}
