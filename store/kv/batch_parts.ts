/**
 * Cuts the account of a batch (BatchPlace) where its items are cut into runs, so that each run moves its stream exactly
 * past its own items and those that were refused or filtered before or among them.
 *
 * @module
 */
import type { BatchPlace, StreamRejection } from "../stream_types.ts";
import type { StreamPart } from "./group_commit.ts";
import type { StreamHandle } from "./stream_handle.ts";

export class BatchParts {
  /** Items of the batch that are accounted for. */
  #done = 0;
  #keptDone = 0;
  #refusedDone = 0;

  /** @param keptCount Items that are kept. */
  constructor(
    private readonly stream: StreamHandle,
    private readonly place: BatchPlace,
    private readonly keptCount: number,
  ) {}

  /** Whether items are left that no run takes along, or there is but the end of a stream to account for. */
  get isLeft(): boolean {
    return this.#done < this.place.count || this.place.count === 0;
  }

  /** The part that ends before the kept item `keptEnd`, or with the batch; `bytes` are those of its items, about. */
  until(keptEnd: number, bytes: number): StreamPart {
    const { first, count, kept, refused } = this.place;
    const end = keptEnd === this.keptCount ? count : kept ? kept[keptEnd] : keptEnd;
    const rejections: StreamRejection[] = [];
    while (this.#refusedDone < refused.length && refused[this.#refusedDone].index < first + end) {
      rejections.push(refused[this.#refusedDone++]);
    }
    const accepted = keptEnd - this.#keptDone;
    const filtered = end - this.#done - accepted - rejections.length;
    this.#done = end;
    this.#keptDone = keptEnd;
    return {
      stream: this.stream,
      progress: { to: first + end, accepted, rejected: rejections.length, filtered, bytes, rejections },
    };
  }
}
