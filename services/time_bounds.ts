/**
 * Which timestamps are accepted: not past retention, and not further ahead than clocks differ.
 *
 * @module
 */
import { DAY, HOUR, MAX_FUTURE_MS } from "../limits.ts";
import { type Fault, invalid } from "./tally.ts";

export interface TimeBounds {
  /** ms since the epoch, inclusive. */
  readonly oldest: number;
  readonly newest: number;
}

export function timeBounds(now: number, retention: number): TimeBounds {
  // Queries begin at the epoch, whatever the retention.
  return { oldest: Math.max(now - retention, 0), newest: now + MAX_FUTURE_MS };
}

/** What is wrong with a timestamp, if anything. */
export function timestampFault(timestamp: number, { oldest, newest }: TimeBounds): Fault | undefined {
  if (timestamp >= oldest && timestamp <= newest) return undefined;
  const unit = "in milliseconds since the epoch";
  if (timestamp > newest) {
    return invalid(
      "timestamp",
      `must be at most ${MAX_FUTURE_MS / HOUR} hours ahead, ${unit}: current value is ${timestamp}`,
    );
  }
  const days = Math.round((newest - MAX_FUTURE_MS - oldest) / DAY * 100) / 100;
  return invalid("timestamp", `must be within the ${days} days that are kept, ${unit}: current value is ${timestamp}`);
}
