/**
 * A call's place in its stream: which of the items that come are durable already, and that the others follow without a gap.
 *
 * @module
 */
import { alreadyExists, failedPrecondition, invalidArgument } from "../errors.ts";
import type { Stream, StreamCall, StreamKind, StreamStore } from "../store/stream_types.ts";
import type { Call } from "./call.ts";
import { openStream } from "./open_stream.ts";

/** What has to be known of batches. */
export interface BatchKind<B> {
  count(batch: B): number;
  /** The batch without its first `count` items, which are not all of them. */
  skip(batch: B, count: number): B;
  /** Identifies the content of the first item, however it was encoded. */
  hashFirst(batch: B): Uint8Array;
}

export class StreamIntake<B> {
  /** Sequence of the next item that comes. */
  #next: number;
  /** How far the stream was durable when this call took it. */
  #durable: number | undefined;

  private constructor(
    readonly stream: Stream,
    private readonly call: StreamCall,
    private readonly kind: BatchKind<B>,
  ) {
    this.#next = call.start;
  }

  /** Opens the stream that a call names. Throws what StreamStore.open throws. */
  static async open<B>(
    streams: StreamStore,
    call: Call,
    named: StreamCall,
    streamKind: StreamKind,
    kind: BatchKind<B>,
  ): Promise<StreamIntake<B>> {
    return new StreamIntake(await openStream(streams, call, streamKind, named), named, kind);
  }

  /**
   * What of a batch is new, and the sequence of its first item; undefined if all of it is durable. ALREADY_EXISTS if item
   * 0 is another than before; nothing has changed then.
   */
  async accept(batch: B): Promise<{ readonly batch: B; readonly first: number } | undefined> {
    const count = this.kind.count(batch);
    if (count === 0) return undefined;
    const first = this.#next;
    this.#next += count;
    const { id } = this.call;
    const { state, end } = this.stream.info;
    if (state === "open" && end !== undefined && this.#next > end) {
      throw invalidArgument("sluice-end", `must be at least ${this.#next}, for so many items have come: it is ${end}`);
    }
    const durable = this.#durable ?? await this.#take(first === 0 ? this.kind.hashFirst(batch) : undefined);
    const skipped = Math.min(Math.max(durable - first, 0), count);
    this.stream.addDuplicates(skipped);
    if (skipped === count) return undefined;
    if (state === "finished") {
      throw failedPrecondition(`The stream ${JSON.stringify(id)} is finished: it has ${durable} items`);
    }
    return { batch: skipped === 0 ? batch : this.kind.skip(batch, skipped), first: first + skipped };
  }

  /** At the end of the call: whether it takes an empty commit to finish the stream, for no item was the last one. */
  async isToBeFinished(): Promise<boolean> {
    const { end } = this.call;
    const { state, committed } = this.stream.info;
    if (end === undefined || end !== (this.#durable ?? committed) || state === "finished") return false;
    this.#durable ?? await this.#take(undefined);
    return this.stream.info.state === "open";
  }

  async #take(hash: Uint8Array | undefined): Promise<number> {
    const known = this.stream.firstHash;
    if (hash && known && !hash.every((byte, i) => byte === known[i])) {
      throw alreadyExists(`The stream ${JSON.stringify(this.call.id)} began with another item: its id was used again`);
    }
    await this.stream.take(hash);
    return this.#durable = this.stream.info.committed;
  }
}
