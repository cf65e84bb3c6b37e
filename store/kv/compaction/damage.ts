/**
 * Damage on the way of a merge. What is damaged stays where it is, for somebody to look at: the merge of which it was to be
 * a part ends, and it is left out of those that come after.
 *
 * @module
 */
import { Code, ConnectError } from "@connectrpc/connect";
import type { Clock } from "../../../clock.ts";
import { KNOWN_DAMAGE_MS, MAX_KNOWN_DAMAGE } from "../../../limits.ts";
import { DamagedError } from "../../format/value.ts";

/** A run, or a segment in KV, that cannot be merged. */
export class DamagedSource extends Error {
  override name = "DamagedSource";

  constructor(readonly id: string, cause: unknown) {
    super(`Cannot merge ${id} as it is damaged`, { cause });
  }
}

/** The error of one who reads a source, which is named if it is damaged. */
export function sourceError(id: string, error: unknown): unknown {
  const damaged = error instanceof DamagedError || (error instanceof ConnectError && error.code === Code.DataLoss);
  return damaged ? new DamagedSource(id, error) : error;
}

/** Ids of runs and segments that were found damaged of late: what a merge writes up to the damage is written in vain. */
export class KnownDamage {
  /** When, by id: what was found last at the end. */
  readonly #found = new Map<string, number>();

  constructor(private readonly clock: Clock) {}

  add(id: string): void {
    this.#found.delete(id);
    this.#found.set(id, this.clock.elapsed());
    if (this.#found.size > MAX_KNOWN_DAMAGE) this.#found.delete(this.#found.keys().next().value!);
  }

  has(id: string): boolean {
    const found = this.#found.get(id);
    return found !== undefined && this.clock.elapsed() - found < KNOWN_DAMAGE_MS;
  }
}
