/**
 * What a question about logs is about, and when that was.
 *
 * @module
 */
import type { Clock } from "../../clock.ts";
import { type LogCondition, timesOf } from "../log_condition.ts";

/** What is sought, and when it was: from `from` (inclusive) up to `to` (exclusive), ms since the epoch. */
export interface LogRangeSearch {
  readonly where: LogCondition;
  readonly from: number;
  readonly to: number;
}

/** The search within what is retained, and within the times that its condition names. */
export function clamped<S extends LogRangeSearch>(
  search: S,
  { clock, retention }: { readonly clock: Clock; readonly retention: number },
): S {
  const times = timesOf(search.where);
  return {
    ...search,
    from: Math.max(search.from, clock.now() - retention, times.from),
    to: Math.min(search.to, times.to),
  };
}
