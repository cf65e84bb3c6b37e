/**
 * Bodies that a test hands out as it likes, and a decoder of plain texts.
 *
 * @module
 */
import type { BatchDecoder } from "../../../decode/decoder.ts";
import { envelope } from "../../support/wire.ts";

/** Lets everything happen that can happen without the test. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 10; i++) await new Promise((resolve) => setTimeout(resolve, 0));
}

export function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

/** An envelope around a text. */
export function framed(text: string, flags = 0): Uint8Array<ArrayBuffer> {
  return envelope(bytesOf(text), flags);
}

/** The same bytes in chunks of so many. */
export async function* inChunks(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield await Promise.resolve(bytes.slice(at, at + size));
}

/** A body whose chunks come when the test sends them; it counts how often it was asked for one. */
export class TestBody implements AsyncIterableIterator<Uint8Array> {
  asked = 0;
  returned = 0;
  readonly #chunks: (Uint8Array | undefined)[] = [];
  #failure: unknown;
  #wake = () => {};

  send(...chunks: Uint8Array[]): void {
    this.#chunks.push(...chunks);
    this.#wake();
  }

  end(): void {
    this.#chunks.push(undefined);
    this.#wake();
  }

  /** What was sent before still comes. */
  fail(error: unknown): void {
    this.#failure = error;
    this.#wake();
  }

  async next(): Promise<IteratorResult<Uint8Array>> {
    this.asked++;
    while (this.#chunks.length === 0 && this.#failure === undefined) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      await promise;
    }
    if (this.#chunks.length === 0) throw this.#failure;
    const value = this.#chunks.shift();
    return value === undefined ? { done: true, value } : { done: false, value };
  }

  /** As of a generator that waits for a chunk: it does not come back before that. */
  return(): Promise<IteratorResult<Uint8Array>> {
    this.returned++;
    return new Promise(() => {});
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}

/** Each message is a text; one that begins with `bad` is refused. Its size is what it has after a `#`, or its length. */
export class TextDecoding implements BatchDecoder<readonly string[]> {
  #texts: string[] = [];
  #size = 0;

  get count(): number {
    return this.#texts.length;
  }

  get size(): number {
    return this.#size;
  }

  add(bytes: Uint8Array, start: number, end: number): void {
    const text = new TextDecoder().decode(bytes.subarray(start, end));
    if (text.startsWith("bad")) throw new RangeError(text);
    this.#texts.push(text);
    this.#size += Number(text.split("#")[1] ?? end - start);
  }

  take(): readonly string[] {
    const taken = this.#texts;
    this.#texts = [];
    this.#size = 0;
    return taken;
  }
}

/** A signal that counts who listens to it. */
export function counted() {
  const controller = new AbortController();
  const { signal } = controller;
  let listeners = 0;
  const add = signal.addEventListener.bind(signal), remove = signal.removeEventListener.bind(signal);
  Object.assign(signal, {
    addEventListener: (...args: Parameters<typeof add>) => (listeners++, add(...args)),
    removeEventListener: (...args: Parameters<typeof remove>) => (listeners--, remove(...args)),
  });
  return { controller, signal, listeners: () => listeners };
}
