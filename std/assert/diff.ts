/** How a failed comparison is told: the two values as text, line by line, with what differs marked. */

/** Elements of a collection that are printed. More would bury the difference, and of a large buffer take minutes. */
const MAX_ITEMS = 1000;
/** Pairs of lines that the diff may look at; beyond it, the differing region is shown as removed and added. */
const MAX_PAIRS = 4_000_000;
/** Unchanged lines shown on both sides of a change. */
const CONTEXT = 3;

/** A value as text, with one property a line and sorted keys, so that a diff of two is by property. */
export function format(value: unknown): string {
  return Deno.inspect(value, {
    compact: false,
    depth: Infinity,
    iterableLimit: MAX_ITEMS,
    sorted: true,
    strAbbreviateSize: Infinity,
    trailingComma: true,
  });
}

/** The lines of `actual` that `expected` lacks with `-`, those that `actual` lacks with `+`. */
export function diff(actual: string, expected: string): string {
  const a = actual.split("\n");
  const b = expected.split("\n");
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start++;
  let end = 0;
  while (end < a.length - start && end < b.length - start && a[a.length - 1 - end] === b[b.length - 1 - end]) end++;

  const out = ["    [Diff] Actual (-) / Expected (+)", ""];
  if (start > CONTEXT) out.push("    ...");
  for (const line of a.slice(Math.max(0, start - CONTEXT), start)) out.push(`    ${line}`);
  out.push(...changes(a.slice(start, a.length - end), b.slice(start, b.length - end)));
  for (const line of a.slice(a.length - end, a.length - end + CONTEXT)) out.push(`    ${line}`);
  if (end > CONTEXT) out.push("    ...");
  return out.join("\n");
}

/** A longest common subsequence, walked from the start. */
function changes(a: readonly string[], b: readonly string[]): string[] {
  const removed = (line: string) => `-   ${line}`;
  const added = (line: string) => `+   ${line}`;
  if (a.length * b.length > MAX_PAIRS) return [...a.map(removed), ...b.map(added)];

  const width = b.length + 1;
  const common = new Uint32Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      common[i * width + j] = a[i] === b[j]
        ? common[(i + 1) * width + j + 1] + 1
        : Math.max(common[(i + 1) * width + j], common[i * width + j + 1]);
    }
  }
  const out: string[] = [];
  let i = 0;
  let j = 0;
  while (i < a.length && j < b.length) {
    if (a[i] === b[j]) {
      out.push(`    ${a[i]}`);
      i++;
      j++;
    } else if (common[(i + 1) * width + j] >= common[i * width + j + 1]) {
      out.push(removed(a[i++]));
    } else {
      out.push(added(b[j++]));
    }
  }
  out.push(...a.slice(i).map(removed), ...b.slice(j).map(added));
  return out;
}

/** What to say of two values that should be equal. */
export function describeDifference(actual: unknown, expected: unknown): string {
  if (actual instanceof Uint8Array && expected instanceof Uint8Array) {
    let at = 0;
    while (at < actual.length && at < expected.length && actual[at] === expected[at]) at++;
    return `    ${actual.length} bytes and ${expected.length} bytes, which differ from byte ${at}: ` +
      `${actual[at] ?? "end"} instead of ${expected[at] ?? "end"}`;
  }
  const a = format(actual);
  const b = format(expected);
  if (a === b) return `    Both print as:\n    ${a.replaceAll("\n", "\n    ")}`;
  return diff(a, b);
}
