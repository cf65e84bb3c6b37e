/**
 * What one query of points may read, of all tries together.
 *
 * @module
 */
import { overLimit } from "../../errors.ts";
import { MAX_READ_SAMPLES, MAX_READ_SEGMENTS } from "../../limits.ts";

export interface ReadLimits {
  /** Samples that are looked at one by one. Default: MAX_READ_SAMPLES. */
  readonly maxSamples?: number;
  /** Segments. Default: MAX_READ_SEGMENTS. */
  readonly maxSegments?: number;
}

export class ReadBudget {
  readonly #maxSamples: number;
  readonly #maxSegments: number;
  #samples = 0;
  #segments = 0;

  constructor({ maxSamples = MAX_READ_SAMPLES, maxSegments = MAX_READ_SEGMENTS }: ReadLimits) {
    this.#maxSamples = maxSamples;
    this.#maxSegments = maxSegments;
  }

  /** @throws {ConnectError} RESOURCE_EXHAUSTED if these are too many. */
  takeSamples(count: number): void {
    this.#samples += count;
    if (this.#samples > this.#maxSamples) {
      throw overLimit(
        `The query reads more than ${this.#maxSamples} samples: take a shorter range, or fewer series`,
      );
    }
  }

  /** @throws {ConnectError} RESOURCE_EXHAUSTED if this is one too many. */
  takeSegment(): void {
    this.#segments++;
    if (this.#segments > this.#maxSegments) {
      throw overLimit(
        `The query reads more than ${this.#maxSegments} segments: take a shorter range, or name a source`,
      );
    }
  }
}
