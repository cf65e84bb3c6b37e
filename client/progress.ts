/**
 * How far a call is.
 *
 * @module
 */

/** How far a call is. What has been sent is on its way, not yet committed: the receipt says what is. */
export interface Progress {
  /** Bytes of a file, or points, or log entries, that have been sent. */
  sent: number;
  /** How many there are; undefined if that is not known. */
  total: number | undefined;
  /** Since the call began, ms. */
  elapsedMs: number;
  /** Sent per second, over the whole call. */
  rate: number;
}

/** Told of a call's progress, at most once for each body chunk. What it throws ends the call. */
export type OnProgress = (progress: Progress) => void;

/** Turns a count into a {@linkcode Progress} and tells it. */
export function createMeter(
  onProgress: OnProgress | undefined,
  total: number | undefined,
): ((sent: number) => void) | undefined {
  if (onProgress === undefined) return undefined;
  const start = performance.now();
  return (sent) => {
    const elapsedMs = performance.now() - start;
    onProgress({ sent, total, elapsedMs, rate: elapsedMs > 0 ? sent / (elapsedMs / 1000) : 0 });
  };
}
