/**
 * Counts of a receipt, and the first rejections by name. Counts stay exact beyond those.
 *
 * @module
 */
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { RejectionSchema } from "../gen/sluice/v1/data_collection_pb.ts";
import { MAX_REJECTIONS } from "../limits.ts";

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

export class Tally {
  /** Items of the stream so far. */
  total = 0;
  errorCount = 0;
  readonly rejections: MessageInitShape<typeof RejectionSchema>[] = [];

  /** Counts the item at `index` as refused. */
  reject(index: number, { code, field, reason }: Fault): void {
    this.errorCount++;
    if (this.rejections.length < MAX_REJECTIONS) {
      this.rejections.push({ index: BigInt(index), code, field, reason, retryable: false });
    }
  }

  /** The rejections as lines. */
  get errors(): string[] {
    return this.rejections.map(({ index, field, reason }) => `item ${index}: ${field}: ${reason}`);
  }
}

/** A count as an int32 field has it: at most 2^31 - 1. */
export function saturated(count: number): number {
  return Math.min(count, 0x7fffffff);
}
