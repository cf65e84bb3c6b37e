/**
 * How a caller bounds the windows of a stream.
 *
 * @module
 */
import { WindowSize } from "./feed.ts";
import { MIN_WINDOW_BYTES, WINDOW_BYTES } from "./limits.ts";

/** How a window is bounded. */
export interface WindowLimits {
  bytes?: number;
  items?: number;
  /** How long it stays open for a slow producer, ms. */
  ms?: number;
}

/** Bytes of the first window: the next ones are up to eight times as large, if the network is good for that. */
const FIRST_WINDOW_BYTES = WINDOW_BYTES / 8;

/** @throws {RangeError} if a bound is not above 0: nothing would ever be sent. */
export function checkWindow(limits: WindowLimits = {}): void {
  for (const name of ["bytes", "items", "ms"] as const) {
    const { [name]: value = Infinity } = limits;
    if (!(value > 0)) throw new RangeError(`Cannot use window.${name}: it must be above 0, not ${value}`);
  }
}

/** The size that windows begin with. */
export function windowSizeOf({ bytes = WINDOW_BYTES }: WindowLimits): WindowSize {
  return new WindowSize(Math.min(MIN_WINDOW_BYTES, bytes), bytes, Math.min(FIRST_WINDOW_BYTES, bytes));
}
