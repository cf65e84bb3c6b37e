/**
 * Which parts pieces have, as a bucket lists them. Parts never change, and a piece only gets more of them; so a list that was
 * seen before serves for as long as it reaches, and reading a range takes one request and not two.
 *
 * @module
 */
import { S3_LISTED_PARTS } from "../../limits.ts";
import type { PiecePart } from "./parts.ts";

/** A part of a piece, which is an object. */
export interface ListedPart {
  /** In the piece. */
  readonly offset: number;
  readonly size: number;
}

/** Bytes of an object: from `start` up to `end` of it. */
export interface PartSpan {
  /** Of the object in its piece. */
  readonly offset: number;
  readonly start: number;
  readonly end: number;
}

export class PartLists {
  /** By piece; the one that was used last is at the end. */
  readonly #known = new Map<string, readonly ListedPart[]>();
  #parts = 0;

  /** @param list Asks the bucket for the parts of a piece. */
  constructor(private readonly list: (blobId: string, epoch: number) => Promise<ListedPart[]>) {}

  /** Where the bytes of `part` lie in the objects of its piece; undefined if some are in none. */
  async spansOf(blobId: string, part: PiecePart): Promise<readonly PartSpan[] | undefined> {
    const name = `${blobId}/${part.epoch}`;
    const known = this.#known.get(name);
    const spans = known && spansOf(known, part);
    if (known && spans) {
      this.#known.delete(name);
      this.#known.set(name, known);
      return spans;
    }
    const parts = (await this.list(blobId, part.epoch)).sort((a, b) => a.offset - b.offset);
    this.#keep(name, parts);
    return spansOf(parts, part);
  }

  forget(blobId: string, epoch: number): void {
    this.#drop(`${blobId}/${epoch}`);
  }

  #keep(name: string, parts: readonly ListedPart[]): void {
    this.#drop(name);
    this.#known.set(name, parts);
    this.#parts += parts.length;
    for (const oldest of this.#known.keys()) {
      if (this.#parts <= S3_LISTED_PARTS) break;
      this.#drop(oldest);
    }
  }

  #drop(name: string): void {
    this.#parts -= this.#known.get(name)?.length ?? 0;
    this.#known.delete(name);
  }
}

function spansOf(parts: readonly ListedPart[], { start, end }: PiecePart): PartSpan[] | undefined {
  const spans: PartSpan[] = [];
  let at = start;
  for (const { offset, size } of parts) {
    if (offset + size <= at || at >= end) continue;
    if (offset > at) return undefined;
    const last = Math.min(offset + size, end);
    spans.push({ offset, start: at - offset, end: last - offset });
    at = last;
  }
  return at >= end ? spans : undefined;
}
