/**
 * Counts of a receipt, and the first rejections by name. Counts stay exact beyond those.
 *
 * @module
 */
import { MAX_REJECTIONS } from "../limits.ts";
import type { StreamRejection } from "../store/stream_types.ts";

/** Why an item is refused. */
export interface Fault {
  /** Canonical name of the status code. */
  readonly code: "INVALID_ARGUMENT" | "RESOURCE_EXHAUSTED";
  /** Field that is wrong. */
  readonly field: string;
  readonly reason: string;
}

/** A fault of an item's own: sending it again cannot help. */
export function invalid(field: string, reason: string): Fault {
  return { code: "INVALID_ARGUMENT", field, reason };
}

/** Refused items of one batch. */
export class Refusals {
  readonly #refused: StreamRejection[] = [];

  /** @param first Sequence of the batch's first item. */
  constructor(private readonly first: number) {}

  /** Takes the item at a place of the batch as refused. */
  readonly add = (place: number, { code, field, reason }: Fault): void => {
    this.#refused.push({ index: this.first + place, code, field, reason, retryable: false });
  };

  /** In the order of the items. */
  inOrder(): readonly StreamRejection[] {
    return this.#refused.sort((a, b) => a.index - b.index);
  }
}

/** What became of the items of a call. */
export class Tally {
  /** Items so far. */
  total = 0;
  rejected = 0;
  filtered = 0;
  readonly rejections: StreamRejection[] = [];

  /** Counts the refused items of a batch. */
  reject(refused: readonly StreamRejection[]): void {
    this.rejected += refused.length;
    this.rejections.push(...refused.slice(0, MAX_REJECTIONS - this.rejections.length));
  }

  get accepted(): number {
    return this.total - this.rejected - this.filtered;
  }

  get committed(): number {
    return this.total;
  }

  get duplicates(): number {
    return 0;
  }
}

/** A count as an int32 field has it: at most 2^31 - 1. */
export function saturated(count: number): number {
  return Math.min(count, 0x7fffffff);
}
