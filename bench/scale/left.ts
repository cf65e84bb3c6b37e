/**
 * How far compaction is.
 *
 * @module
 */
import { COMPACT_FEW, DAY, HOUR } from "../../limits.ts";

/** Days that are over and still have more than one run, or as many segments as become one. */
export async function daysToCompact(dir: string): Promise<number> {
  const kv = await Deno.openKv(`${dir}/kv.sqlite`);
  try {
    let days = 0;
    const today = Math.floor(Date.now() / DAY);
    for (const kind of ["points", "logs"]) {
      const segments = new Map<number, number>();
      const runs = new Map<number, number>();
      const count = (days: Map<number, number>, day: number) => days.set(day, (days.get(day) ?? 0) + 1);
      const before = { start: [kind, "default", 0], end: [kind, "default", today * DAY / HOUR] };
      for await (const { key } of kv.list(before)) count(segments, Math.floor(key[2] as number * HOUR / DAY));
      for await (const { key } of kv.list({ prefix: ["run", kind, "default"] })) count(runs, key[3] as number);
      for (const [day, own] of segments) if (own >= COMPACT_FEW) runs.set(day, Math.max(runs.get(day) ?? 0, 2));
      for (const [day, own] of runs) if (day < today && own > 1) days++;
    }
    return days;
  } finally {
    kv.close();
  }
}
