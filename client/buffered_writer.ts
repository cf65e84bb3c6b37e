/**
 * Writers with an offline buffer: what is written is durable here first, and sent from there.
 *
 * @module
 */
import { StreamKind } from "../gen/sluice/v1/stream_pb.ts";
import { OfflineBuffer } from "./buffer.ts";
import { Intake } from "./buffer_intake.ts";
import { storeOf } from "./buffer_open.ts";
import type { BufferedItemWriter, BufferedWriterOptions } from "./buffer_options.ts";
import type { BufferStore } from "./buffer_store.ts";
import { BufferedFeed } from "./buffered_feed.ts";
import type { Core } from "./core.ts";
import { withResolvers } from "./deferred.ts";
import { Code } from "./deps.ts";
import { tooLarge } from "./envelope.ts";
import { isForgotten, SluiceError } from "./errors.ts";
import type { Kind } from "./kinds.ts";
import { BUFFER_BYTES, MAX_UNAWAITED_BYTES, SUSPEND_MS } from "./limits.ts";
import { Meter, type Progress } from "./progress.ts";
import { ItemRefused } from "./refused.ts";
import { Sender } from "./sender.ts";
import { checkWindow } from "./window_limits.ts";
import type { FieldWriter } from "./writer.ts";

export class BufferedWriter<T, R> implements BufferedItemWriter<T, R> {
  readonly #intake: Intake<T>;
  #buffer: OfflineBuffer | undefined;
  #feed: BufferedFeed | undefined;
  #meter: Meter | undefined;
  /** Resolved, and made anew, when something was saved or committed, or all is over. */
  #changed = withResolvers<void>();
  /** A call has failed, and nothing has been committed since. */
  #offline = false;
  #closed = false;
  /** Nothing is sent any more, and the buffer is given back. */
  #over = false;
  #ended: { error: unknown } | undefined;
  readonly #opened: Promise<void>;
  readonly #receipt: Promise<R>;
  /** Ends what is being sent. */
  readonly #stop = new AbortController();

  /** @throws {TypeError} if the buffer's name is none, or there is no place for it; {RangeError} for a bound that is none. */
  constructor(
    readonly core: Core,
    readonly kind: Kind<R>,
    encode: (writer: FieldWriter, item: T, index: number) => void,
    readonly options: BufferedWriterOptions,
  ) {
    const { clock, rate, stateDir } = core;
    const { buffer, bufferBytes = BUFFER_BYTES } = options;
    if (!(bufferBytes > 0)) throw new RangeError(`Cannot use bufferBytes: it must be above 0, not ${bufferBytes}`);
    checkWindow(options.window);
    const openStore = storeOf(buffer, bufferBytes, stateDir);
    this.#intake = new Intake({
      ...{ encode, clock, maxItems: rate.maxItems, maxBytes: bufferBytes },
      onSaved: () => this.#change(),
      onFull: () => this.#feed?.flushTo(this.#buffer!.store.end),
      onFailed: (error) => {
        this.#stop.abort(error);
        // The sender may have ended before, and nobody else would tell.
        this.#change();
      },
    });
    this.#opened = this.#open(openStore);
    this.#receipt = this.#opened.then(() => this.#run());
    // Whoever writes, saves, flushes or closes next is told.
    this.#receipt.catch((error) => {
      this.#ended = { error };
      this.#change();
    });
  }

  get streamId(): string {
    return this.#buffer?.stream.id ?? "";
  }

  get progress(): Progress {
    return this.#meter?.progress ?? { sent: 0, committed: 0, total: undefined, bytes: 0, elapsedMs: 0, rate: 0 };
  }

  get waiting(): number {
    return (this.#buffer?.waiting ?? 0) + this.#intake.made - this.#intake.saved;
  }

  write(item: T): Promise<void> | undefined {
    this.#throwIfOver();
    if (this.#intake.bytes > MAX_UNAWAITED_BYTES) {
      throw this.#error("Cannot write: there is no room, and nobody waits for it", "closed", Code.ResourceExhausted);
    }
    try {
      this.#intake.put(item);
    } catch (error) {
      if (!(error instanceof ItemRefused)) throw error;
      throw this.#error(error.message, "item", Code.InvalidArgument, error.cause);
    }
    if (!this.#intake.blocked) return undefined;
    const room = this.#until(() => !this.#intake.blocked);
    // Who does not wait for it is told by the next call.
    room.catch(() => {});
    return room;
  }

  async saved(): Promise<void> {
    this.#throwIfOver();
    await this.#save();
  }

  async flush(): Promise<number> {
    this.#throwIfOver();
    await this.#flush();
    return this.progress.committed;
  }

  async close(): Promise<R> {
    if (!this.#closed) {
      this.#closed = true;
      await this.#save();
      if (!this.#over) await this.#buffer?.seal();
      this.#feed?.saved.wake();
    }
    return await this.#receipt;
  }

  async suspend(): Promise<number> {
    this.#closed = true;
    // Whatever ends it now, and is not the disk: what is saved is there for the next one.
    this.#intake.end();
    await this.#save();
    const late = withResolvers<void>();
    const cancel = this.core.clock.setTimer(SUSPEND_MS, late.resolve);
    const failed = this.#until(() => this.#offline);
    await Promise.race([this.#flush(), late.promise, failed]).catch(() => {});
    cancel();
    const { waiting } = this;
    if (this.#ended !== undefined) throw this.#ended.error;
    this.#stop.abort(this.#error("The writer was suspended", "closed", Code.Aborted));
    await this.#receipt.catch(() => {});
    return waiting;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.suspend();
  }

  async #open(openStore: () => Promise<BufferStore>): Promise<void> {
    const { core, kind, options: { buffer: name, streamName } } = this;
    const store = await openStore();
    try {
      const now = () => core.clock.now?.() ?? Date.now();
      const items = StreamKind[kind.kind].toLowerCase();
      this.#buffer = new OfflineBuffer(store, { name, kind: items, server: core.server, streamName, now });
      await this.#buffer.save();
    } catch (error) {
      await store.close("all");
      throw error;
    }
    const buffer = this.#buffer;
    buffer.onMoved = () => {
      this.#offline = false;
      this.#change();
    };
    this.#intake.saveTo(store, () => buffer.waiting === 0);
    // It has answered before, so whatever does not is not the wrong address.
    if (buffer.stream.committed > buffer.stream.base) core.retry.reached = true;
  }

  /** Sends stream after stream, to the end of the last one. */
  async #run(): Promise<R> {
    const buffer = this.#buffer!;
    try {
      while (true) {
        try {
          const receipt = await this.#send(buffer);
          const { isLast } = buffer;
          await buffer.finish(this.kind.committed(receipt));
          if (!this.#closed || !isLast) continue;
          if (buffer.waiting === 0) return receipt;
          await buffer.seal();
        } catch (error) {
          if (!isForgotten(error)) throw error;
          await buffer.renew(error, this.options.expired);
        }
      }
    } finally {
      this.#over = true;
      this.#intake.end();
      await this.#until(() => this.#intake.failed || this.#intake.saved === this.#intake.made);
      await buffer.close();
    }
  }

  /** Sends a stream to its end. */
  async #send(buffer: OfflineBuffer): Promise<R> {
    const { core, options: { window, onProgress, signal } } = this;
    buffer.refresh();
    const feed = this.#feed = new BufferedFeed(buffer, {
      ...{ clock: core.clock, rate: core.rate, window },
      onTooLarge: (index, bytes) => {
        const error = this.#error(`Item ${index}: ${tooLarge(bytes).message}`, "item", Code.InvalidArgument);
        core.onEvent({ type: "refused", streamId: buffer.stream.id, error });
      },
    });
    this.#meter = new Meter(feed, core.clock);
    const { signal: stopped } = this.#stop;
    return await new Sender(core, this.kind, feed, {
      streamId: buffer.stream.id,
      signal: signal ? AbortSignal.any([signal, stopped]) : stopped,
      deadlineMs: Infinity,
      resume: true,
      patient: true,
      onProgress: onProgress && (() => onProgress(this.progress)),
      onRetry: () => {
        this.#offline = true;
        this.#change();
      },
    }).run();
  }

  /** Resolves when all that has been written is saved. */
  async #save(): Promise<void> {
    const { made } = this.#intake;
    this.#intake.cut();
    await this.#opened;
    await this.#until(() => this.#intake.saved >= made);
  }

  /** Resolves when all that has been written is committed. */
  async #flush(): Promise<void> {
    const { made } = this.#intake;
    await this.#save();
    const buffer = this.#buffer!;
    const target = buffer.begin + made;
    await this.#until(() => {
      if (buffer.stream.committed >= target) return true;
      this.#feed?.flushTo(target);
      return false;
    });
  }

  /** Waits until it is so. @throws {SluiceError} What ended the writer before. */
  async #until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      if (this.#ended !== undefined) throw this.#ended.error;
      await this.#changed.promise;
    }
  }

  /** Something was saved or committed, or all is over. */
  #change(): void {
    this.#changed.resolve();
    this.#changed = withResolvers();
    this.#feed?.saved.wake();
    this.#intake.go();
  }

  #throwIfOver(): void {
    if (this.#ended !== undefined) throw this.#ended.error;
    if (this.#closed) throw this.#error("The writer was closed", "closed", Code.FailedPrecondition);
  }

  #error(message: string, reason: "closed" | "item", code: Code, cause?: unknown): SluiceError {
    const { streamId, progress: { committed } } = this;
    return new SluiceError(message, { code, reason, retryable: false, cause, streamId, committed });
  }
}
