/**
 * One client-streaming call of the Connect protocol, with nothing about it that helps: what tries again, and goes on, is the
 * test's own.
 *
 * @module
 */
import type { DescMessage, DescMethodClientStreaming, MessageShape } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { EnvelopeBatch } from "../../client/envelope.ts";
import { receipt, sendBody } from "./wire.ts";

/** Items after which what is there is sent, however little it is. */
const CHUNK_ITEMS = 50;

/** Where calls go to. */
export interface Endpoint {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly fetch: typeof globalThis.fetch;
}

export interface StreamCallOptions<T> {
  readonly items: Iterable<T> | AsyncIterable<T>;
  /** Writes an item's fields. */
  write(batch: EnvelopeBatch, item: T, index: number): void;
  readonly signal: AbortSignal;
}

/** The receipt. Throws what the server answered; UNAVAILABLE if it did not; the signal's reason. */
export async function callClientStreaming<T, I extends DescMessage, O extends DescMessage>(
  { url, headers, fetch }: Endpoint,
  method: DescMethodClientStreaming<I, O>,
  options: StreamCallOptions<T>,
): Promise<MessageShape<O>> {
  const { signal } = options;
  const over = new AbortController();
  try {
    signal.throwIfAborted();
    const body = ReadableStream.from(chunks(options));
    return await receipt(
      sendBody(url, method, body, { headers, fetch, signal: AbortSignal.any([signal, over.signal]) }),
    );
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    if (error instanceof ConnectError) throw error;
    throw new ConnectError(`the call broke off: ${error}`, Code.Unavailable, undefined, undefined, error);
  } finally {
    // An answer may come before all has been sent.
    over.abort();
  }
}

async function* chunks<T>({ items, write }: StreamCallOptions<T>): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const batch = new EnvelopeBatch();
  let index = 0;
  for await (const item of items) {
    batch.begin();
    write(batch, item, index++);
    batch.end();
    while (batch.full || (index % CHUNK_ITEMS === 0 && !batch.empty)) yield batch.take();
  }
  while (!batch.empty) yield batch.take();
}
