/**
 * Times, numbers and texts as files write them.
 *
 * @module
 */

/** Milliseconds in the units that clocks count in: up to which count since the epoch a number is taken to be in which. */
const UNITS: readonly (readonly [below: number, toMs: number])[] = [
  // Seconds until the year 5138; as milliseconds, that would be March 1973.
  [1e11, 1000],
  [1e14, 1],
  [1e17, 1e-3],
];

/**
 * A moment, ms since the epoch: a date and time of ISO 8601 (RFC 3339; without a zone it is local time), or a number
 * since the epoch in seconds, milliseconds, microseconds or nanoseconds, whichever gives a moment after 1973.
 *
 * @throws {SyntaxError} if it is neither.
 */
export function parseTime(value: unknown): number {
  if (typeof value === "number" || (typeof value === "string" && /^\s*-?\d+(\.\d*)?\s*$/.test(value))) {
    const count = Number(value);
    if (!Number.isFinite(count)) throw new SyntaxError(`has a time that is none: ${value}`);
    const toMs = UNITS.find(([below]) => Math.abs(count) < below)?.[1] ?? 1e-6;
    return Math.floor(count * toMs);
  }
  const time = typeof value === "string" ? parseDate(value.trim()) : undefined;
  if (time === undefined) throw new SyntaxError(`has a time that is none: ${quote(value)}`);
  return time;
}

const DATE = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d)?)(?:[.,](\d+))? ?(Z|[+-]\d\d:?\d\d)?)?$/i;

/** ISO 8601, also with a space for the T, a comma for the point, and more digits than three; undefined if it is none. */
export function parseDate(text: string): number | undefined {
  const match = DATE.exec(text);
  if (match === null) return undefined;
  const [, day, clock, fraction = "0", zone = ""] = match;
  if (clock === undefined) return valid(Date.parse(day));
  const offset = zone.toUpperCase().replace(/^(...)(\d\d)$/, "$1:$2");
  return valid(Date.parse(`${day}T${clock.length === 5 ? `${clock}:00` : clock}.${fraction.slice(0, 3)}${offset}`));
}

/**
 * A number as JSON, CSV and the like write it.
 *
 * @throws {SyntaxError} if it is none, or not finite.
 */
export function parseNumber(value: unknown, name: string): number {
  const number = typeof value === "string" && value.trim() !== "" ? Number(value) : value;
  if (typeof number === "number" && Number.isFinite(number)) return number;
  throw new SyntaxError(`${name} must be a finite number: current value is ${quote(value)}`);
}

/** A value of any kind as the text of a field or tag. */
export function asText(value: unknown): string {
  return typeof value === "string" ? value : typeof value === "object" ? JSON.stringify(value) : String(value);
}

/** A value in an error's text: short enough to be read. */
export function quote(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}

function valid(time: number): number | undefined {
  return Number.isNaN(time) ? undefined : time;
}
