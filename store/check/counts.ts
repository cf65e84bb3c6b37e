/**
 * What a check has looked at, and what it found.
 *
 * @module
 */

export interface Counts {
  values: number;
  files: number;
  /** Unfinished ones. */
  uploads: number;
  /** Blocks and bytes of files. */
  blocks: number;
  bytes: number;
  runs: number;
  segments: number;
  samples: number;
  entries: number;
  streams: number;
  /** What is wrong. */
  faults: number;
  /** What nobody needs. */
  garbage: number;
  /** Values that looked wrong and moved each time they were looked at again. */
  restless: number;
}

export const noCounts = (): Counts => ({
  values: 0,
  files: 0,
  uploads: 0,
  blocks: 0,
  bytes: 0,
  runs: 0,
  segments: 0,
  samples: 0,
  entries: 0,
  streams: 0,
  faults: 0,
  garbage: 0,
  restless: 0,
});
