/**
 * Numbers, times and tables as people read them.
 *
 * @module
 */
const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

/** `1.5 MiB` */
export function bytes(value: number): string {
  let unit = 0;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 ? Math.round(value) : value.toFixed(1)} ${UNITS[unit]}`;
}

/** `12,345` */
export function count(value: number | bigint): string {
  return (typeof value === "number" ? Math.round(value) : value).toLocaleString("en-US");
}

/** Integers as they are, as far as a number can tell; others with six digits, and such that it shows if some are missing. */
export function decimal(value: number): string {
  if (Number.isSafeInteger(value)) return String(value);
  if (Math.abs(value) > Number.MAX_SAFE_INTEGER) return value.toExponential(5);
  return Math.abs(value) >= 1e4 ? value.toFixed(1) : String(+value.toPrecision(6));
}

/** `1:02:03` from seconds. */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.ceil(seconds));
  const pad = (value: number) => String(value).padStart(2, "0");
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  return hours > 0 ? `${hours}:${pad(minutes)}:${pad(whole % 60)}` : `${minutes}:${pad(whole % 60)}`;
}

/** `2026-11-24T10:00:00.000Z` from milliseconds since the epoch. */
export function time(ms: number | bigint): string {
  return new Date(Number(ms)).toISOString();
}

/** Names and values as `a=1 b=2`; empty for none. */
export function pairs(map: Readonly<Record<string, string>>): string {
  return Object.entries(map).map(([name, value]) => `${name}=${value}`).join(" ");
}

/** Rows under a header, in columns that are as wide as need be. */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = header.map((name, i) => Math.max(name.length, ...rows.map((row) => row[i].length)));
  return [header, ...rows]
    .map((row) => row.map((cell, i) => i === row.length - 1 ? cell : cell.padEnd(widths[i])).join("  ").trimEnd())
    .join("\n");
}
