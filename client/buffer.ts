/**
 * An offline buffer: items that are durable here before they are sent, and the streams that they are sent on.
 *
 * Usually there is one stream, and a program that is started again goes on with it. There are two while one waits to be
 * finished and new items come after it. A stream is given up for a new one where the server has forgotten it. Then what
 * was never handed to a transport can go on the new one, for nobody can have it; what was, and is not known to be
 * committed, may be stored or not, and is the caller's to decide about. So before a window is handed over, it is written
 * down that one is on its way.
 *
 * @module
 */
import type { BufferMeta, BufferStore, StoredStream } from "./buffer_store.ts";
import { bufferError } from "./buffer_store.ts";
import { Code } from "./deps.ts";
import { SluiceError } from "./errors.ts";
import { UPLOAD_MEMORY_MS } from "./limits.ts";
import { withClockInDoubt } from "./outcome.ts";
import { newStreamId } from "./stream_id.ts";

/** What becomes of items that may be stored or not, when the server can no longer say. */
export type Expired = "discard" | "resend";

/** Whose buffer it is. */
export interface BufferOptions {
  /** Of the buffer. */
  name: string;
  /** What the items are. */
  kind: string;
  server: string;
  streamName?: string;
  /** Milliseconds since the epoch. */
  now(): number;
}

export class OfflineBuffer {
  /** Position of the first item of this run: what is before it, an earlier run has saved. */
  readonly begin: number;
  /** Called when something was committed. */
  onMoved: () => void = () => {};
  /** The stream that took the place of another. */
  #renewed: StoredStream | undefined;
  /** The record is being written, and will have to be again. */
  #writing = false;
  #changed = false;
  #closed = false;

  /** @throws {SluiceError} `buffer` if it is another's. */
  constructor(readonly store: BufferStore, readonly options: BufferOptions) {
    const { name, kind, server } = options;
    const { meta, end } = store;
    this.begin = end;
    if (meta === undefined || this.#isOver(meta)) {
      store.meta = { format: 1, kind, server, saved: end, streams: [this.#newStream(end)] };
      return;
    }
    const waits = `The buffer "${name}" holds ${end - meta.streams[0].committed} items, which are`;
    const hint = "Give this writer another buffer, or let those be sent first";
    if (meta.kind !== kind) throw bufferError(`${waits} ${meta.kind} and not ${kind}. ${hint}`, WRONG);
    if (meta.server !== server) throw bufferError(`${waits} for ${meta.server} and not ${server}. ${hint}`, WRONG);
    for (const stream of meta.streams) {
      if (stream.open) stream.handed = stream.end ?? end;
      stream.open = false;
    }
    const last = meta.streams.at(-1)!;
    if (last.end !== undefined) meta.streams.push(this.#newStream(last.end));
  }

  /** The stream that is sent now. */
  get stream(): StoredStream {
    return this.#meta.streams[0];
  }

  /** Whether it is the last one. */
  get isLast(): boolean {
    return this.#meta.streams.length === 1;
  }

  /** How many items are saved and not known to be committed. */
  get waiting(): number {
    return this.store.end - this.stream.committed;
  }

  /** Makes the record of it durable. */
  save(): Promise<void> {
    this.#meta.saved = this.store.end;
    return this.store.setMeta(this.#meta);
  }

  /** A stream of which nothing was handed over begins when it can: an id that was made long ago would be refused. */
  refresh(): void {
    const { stream } = this;
    if (stream.handed > stream.base) return;
    stream.id = newStreamId(this.options.streamName);
    stream.begun = this.options.now();
  }

  /** The server says that so much of the stream is committed. @throws {SluiceError} `lost` if that cannot be. */
  locate(committed: number): void {
    const { stream, options: { now } } = this;
    const position = stream.base + committed;
    const old = now() - stream.begun > UPLOAD_MEMORY_MS;
    if (position < stream.committed || position === stream.base && old) throw this.#forgotten("has forgotten");
    // Nothing of this run is on its way: what is there is more than was found here.
    if (position > (stream.end ?? this.begin) && stream.handed <= this.begin) {
      stream.committed = stream.handed = stream.end ?? this.begin;
      throw this.#forgotten("knows more than was saved here of");
    }
  }

  /** A window is about to be handed over. Resolves when that is durable. */
  async handOver(): Promise<void> {
    if (this.stream.open) return;
    this.stream.open = true;
    await this.save();
  }

  /** No window is on its way any more; nothing from this position on was handed over. */
  handedOver(position: number): void {
    const { stream } = this;
    if (!stream.open) return;
    stream.open = false;
    stream.handed = Math.max(stream.handed, position);
    this.#saveSoon();
  }

  /** Everything before this position is committed. */
  moveTo(position: number): void {
    this.stream.committed = position;
    this.stream.handed = Math.max(this.stream.handed, position);
    this.#saveSoon();
    this.onMoved();
    // There is more room then. A file that cannot be removed is when the next one can be.
    this.store.drop(position).then(() => this.onMoved(), () => {});
  }

  /** The last stream ends with what is saved. Resolves when that is durable, so that the server may be told. */
  async seal(): Promise<void> {
    this.#meta.streams.at(-1)!.end = this.store.end;
    await this.save();
  }

  /** The stream is finished, with so many items. */
  async finish(items: number): Promise<void> {
    const { streams } = this.#meta;
    const { base } = streams.shift()!;
    const position = Math.max(base + items, streams[0]?.base ?? 0);
    if (streams.length === 0) streams.push(this.#newStream(position));
    await this.save();
    this.moveTo(position);
  }

  /**
   * Begins a new stream in place of one that the server has forgotten.
   *
   * @throws {SluiceError} `lost` if items may be stored or not, and nothing is said of what becomes of them.
   */
  async renew(cause: SluiceError, expired: Expired | undefined): Promise<void> {
    const { stream, options: { name } } = this;
    // It fared no better than the one before: something else is wrong.
    if (stream === this.#renewed && stream.committed === stream.base) throw withClockInDoubt(cause);
    const uncertain = stream.handed - stream.committed;
    if (uncertain > 0 && expired === undefined) {
      throw new SluiceError(
        `Cannot send what is in the buffer "${name}" exactly once: the server has forgotten the stream ${stream.id}. Of ` +
          `${this.waiting} items, ${uncertain} may be stored or not. Open it with expired: "discard" or "resend"`,
        { code: Code.FailedPrecondition, reason: "lost", retryable: false, streamId: stream.id, cause },
      );
    }
    const base = expired === "discard" ? stream.handed : stream.committed;
    this.#meta.streams[0] = this.#renewed = {
      ...this.#newStream(base),
      ...stream.end !== undefined && { end: stream.end },
    };
    await this.save();
    this.moveTo(base);
  }

  /** Gives it back. What waits stays, and so does the record of a stream that can be gone on with. */
  async close(): Promise<void> {
    const { stream, waiting, isLast } = this;
    this.#closed = true;
    const saved = await this.save().then(() => true, () => false);
    const leave = !saved || waiting > 0 || !isLast ? "all" : stream.handed > stream.base ? "record" : "nothing";
    await this.store.close(leave);
  }

  get #meta(): BufferMeta {
    return this.store.meta!;
  }

  #newStream(base: number): StoredStream {
    const { streamName, now } = this.options;
    return { id: newStreamId(streamName), begun: now(), base, committed: base, handed: base, open: false };
  }

  /** Whether nothing of it waits and no stream of it is still to be finished. */
  #isOver({ kind, server, streams }: BufferMeta): boolean {
    const { options, begin } = this;
    if (kind === options.kind && server === options.server) return false;
    return streams.every(({ committed, end }) => committed >= (end ?? begin));
  }

  /** What is behind by a window costs nothing but to ask the server; so nobody waits for it. */
  async #saveSoon(): Promise<void> {
    this.#changed = true;
    if (this.#writing) return;
    this.#writing = true;
    try {
      for (; this.#changed && !this.#closed; await this.save()) this.#changed = false;
    } catch {
      // The next one that must be durable tells.
    }
    this.#writing = false;
  }

  #forgotten(what: string): SluiceError {
    return new SluiceError(`The server ${what} the stream ${this.stream.id}`, {
      code: Code.FailedPrecondition,
      reason: "lost",
      retryable: false,
    });
  }
}

const WRONG = { code: Code.FailedPrecondition };
