import type { MemoryBudget } from "../http2/budget.ts";
import { ChunkedDecoder, type Found } from "./chunked.ts";
import { Http1RequestError, RequestAborted } from "./errors.ts";
import { appendFields } from "./field_lines.ts";
import type { Input } from "./input.ts";
import type { Http1Limits } from "./limits.ts";
import type { RequestHead } from "./request_head.ts";

const DONE: IteratorReturnResult<undefined> = { done: true, value: undefined };
/** A body known to be smaller needs no larger buffer. */
const MIN_BUFFER_BYTES = 4_096;

/** What a body needs of its connection. */
export interface BodyOwner {
  readonly input: Input;
  readonly limits: Http1Limits;
  readonly budget: MemoryBudget | undefined;
  /** The handler has asked for the body: a client that waits for that is told to go on. */
  bodyWanted(): Promise<void> | undefined;
  /** The body waits, or no longer waits, for the client. */
  bodyWaits(waits: boolean): void;
  /** The body is broken: nothing behind it can be made out. */
  bodyFailed(error: unknown): void;
}

/**
 * The body of a request, read from the socket as the handler pulls it. While the handler does something else, at most
 * one buffer is read ahead.
 */
export class RequestBody implements AsyncIterableIterator<Uint8Array> {
  #trailer: Headers | undefined;
  readonly #decoder: ChunkedDecoder | undefined;
  /** Bytes to come of a body without chunks. */
  #left: number;
  #failure: unknown;
  #closed = false;
  #pulling = false;
  /** The handler wants no more, though it may still have asked. */
  #returned = false;
  #wanted = false;
  #reserved = 0;

  constructor(readonly owner: BodyOwner, head: RequestHead) {
    const { limits, input } = owner;
    this.#decoder = head.chunked ? new ChunkedDecoder(limits) : undefined;
    this.#left = Math.max(0, head.contentLength);
    const most = limits.readBufferBytes;
    if (!this.complete) {
      input.hint = head.chunked ? most : Math.min(most, Math.max(MIN_BUFFER_BYTES, this.#left));
    }
  }

  /** Whether all of it has been taken from the input. */
  get complete(): boolean {
    return this.#decoder ? this.#decoder.done : this.#left === 0;
  }

  get failed(): boolean {
    return this.#failure !== undefined;
  }

  /** Made when it is asked for: few requests have trailers. */
  get trailer(): Headers {
    return this.#trailer ??= new Headers();
  }

  /** Whether the handler waits for more. */
  get pulling(): boolean {
    return this.#pulling && !this.#returned;
  }

  /** Whether nobody will ask for more of it. */
  get closed(): boolean {
    return this.#closed;
  }

  next(): Promise<IteratorResult<Uint8Array>> {
    if (this.#returned) return Promise.resolve(DONE);
    if (this.#pulling) return Promise.reject(new TypeError("Cannot read the request body: another read is pending"));
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    if (this.#closed) return Promise.resolve(DONE);
    if (!this.complete) return this.#pull();
    this.#closed = true;
    return Promise.resolve(DONE);
  }

  /** The handler reads no more of it (`break` in a `for await` loop); what it has asked for ends. */
  return(): Promise<IteratorResult<Uint8Array>> {
    this.#closed = this.#returned = true;
    if (this.#pulling) this.owner.input.interrupt(new RequestAborted("server", "the request body is not wanted"));
    this.#release();
    return Promise.resolve(DONE);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** Reads ahead while nobody asks; without room in the budget, or of a body that a client holds back, nothing. */
  readAhead(): void {
    const { input, budget } = this.owner;
    if (this.complete || this.#failure !== undefined || input.length > 0) return;
    if (budget && this.#reserved === 0) {
      try {
        budget.consume(input.hint);
      } catch {
        input.unwatch();
        return;
      }
      this.#reserved = input.hint;
    }
    input.watch();
  }

  /** The handler gets `error` from now on. What was read ahead is no longer held on its behalf. */
  fail(error: unknown): void {
    if (this.#failure !== undefined || (this.complete && !this.#pulling)) return;
    this.#failure = error;
    if (this.#pulling) this.owner.input.interrupt(error);
    this.#release();
  }

  /** The request is over. */
  end(): void {
    this.#closed = true;
    if (this.#pulling) this.owner.input.interrupt(new RequestAborted("server", "the response is complete"));
    this.#release();
  }

  /** Takes what has arrived and drops it; how many bytes that was. Throws `Http1RequestError`. */
  skip(): number {
    const { input } = this.owner;
    const before = input.length;
    const found = this.#find();
    input.start = found.next;
    return before - input.length;
  }

  async #pull(): Promise<IteratorResult<Uint8Array>> {
    const { owner } = this;
    const { input } = owner;
    this.#pulling = true;
    try {
      if (!this.#wanted) {
        this.#wanted = true;
        const told = owner.bodyWanted();
        if (told) await told;
      }
      for (;;) {
        if (input.length > 0) {
          const { from, to, next } = this.#find();
          if (to > from) {
            const value = input.take(from, to, next);
            this.#release();
            this.#pulling = false;
            if (this.complete) input.watch();
            else this.readAhead();
            return { done: false, value };
          }
          input.start = next;
          if (this.complete) {
            this.#closed = true;
            input.watch();
            return DONE;
          }
        }
        owner.bodyWaits(true);
        const more = await input.fill();
        owner.bodyWaits(false);
        if (!more) throw new RequestAborted("client", "the client went away before the request body ended");
      }
    } catch (error) {
      if (this.#returned) return DONE;
      this.#failure ??= error instanceof Http1RequestError || error instanceof RequestAborted
        ? error
        : new RequestAborted("connection", "the connection failed before the request body ended", { cause: error });
      owner.bodyFailed(this.#failure);
      throw this.#failure;
    } finally {
      owner.bodyWaits(false);
      this.#pulling = false;
    }
  }

  #find(): Found {
    const { input } = this.owner;
    if (!this.#decoder) {
      const next = input.start + Math.min(this.#left, input.length);
      this.#left -= next - input.start;
      return { from: input.start, to: next, next };
    }
    const found = this.#decoder.decode(input);
    if (this.#decoder.done && this.#decoder.trailerFields.length > 0) {
      const bytes = input.buffer.subarray(found.next - this.#decoder.trailerBytes, found.next);
      appendFields(this.trailer, bytes, this.#decoder.trailerFields);
    }
    return found;
  }

  #release(): void {
    if (this.#reserved > 0) this.owner.budget?.release(this.#reserved);
    this.#reserved = 0;
  }
}
