/**
 * The range of time of a question.
 *
 * @module
 */
import { invalidArgument } from "../errors.ts";
import { MAX_FUTURE_MS } from "../limits.ts";

/**
 * From `from` (inclusive) up to `to` (exclusive), ms since the epoch; 0 as the end means everything up to now and what may
 * lie ahead.
 *
 * @throws {ConnectError} INVALID_ARGUMENT if it is none.
 */
export function queryRange(request: { from: bigint; to: bigint }, now: number): { from: number; to: number } {
  const from = Number(request.from);
  const to = request.to === 0n ? now + MAX_FUTURE_MS + 1 : Number(request.to);
  if (from < 0) throw invalidArgument("from", `must not be negative: current value is ${from}`);
  if (to <= from) throw invalidArgument("to", `must be after from, which is ${from}: current value is ${to}`);
  if (to > Number.MAX_SAFE_INTEGER) throw invalidArgument("to", "must be a time in milliseconds since the epoch");
  return { from, to };
}
