/**
 * A client that goes on where a stream broke off: it cuts streams into windows of random sizes, asks GetStream after
 * every failure that a retry can cure, and sends on from `committed`, on the next endpoint if there is one. It also
 * watches the promises: what a receipt said is committed must be committed ever after.
 *
 * @module
 */
import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-web";
import { ulid } from "ulid";
import {
  type StreamInfo,
  StreamKind,
  StreamService,
  StreamState,
  StreamStatusSchema,
} from "../../gen/sluice/v1/stream_pb.ts";
import { MIB } from "../../limits.ts";
import type { Random } from "../store/format/random.ts";
import { callClientStreaming, type Endpoint, type StreamCallOptions } from "./stream_call.ts";
import { retryInfo } from "./wire.ts";

/** What the server did that it must never do; the message ends with what happened to the stream before. */
export class BrokenPromise extends Error {
  override readonly name = "BrokenPromise";

  constructor(what: string, history: readonly string[], options?: ErrorOptions) {
    super([what, ...history].join("\n    "), options);
  }
}

/** Events of a stream that are kept. */
const HISTORY = 20;

export interface ResumeOptions {
  /** URLs, each of the same service; it begins with the first. */
  readonly endpoints: readonly string[];
  readonly random: Random;
  /** How long a call may take, ms; afterwards it is cut and another takes its place. */
  readonly callMs?: number;
  /** How long nothing of a stream may be committed until it counts as stuck, ms. */
  readonly stuckMs?: number;
  /** Items and bytes of the largest window. */
  readonly maxItems?: number;
  readonly maxBytes?: number;
  /** How likely it is that a failure makes it go to the next endpoint although this one may still answer. */
  readonly restlessness?: number;
  /** Whether it speaks HTTP/2, with a connection of its own. */
  readonly http2?: boolean;
  /** Awaited between two chunks, or some dozens of items. */
  readonly pace?: () => Promise<void> | void;
}

/** What went over the wire. */
export interface Traffic {
  calls: number;
  /** Items that were handed to the transport, and how many of them had been before. */
  items: number;
  itemsAgain: number;
  /** The same, of the bytes of files. */
  bytes: number;
  bytesAgain: number;
  /** Failures that were tried again, by code. */
  readonly failures: Map<string, number>;
}

/** A stream as the client sends it, window by window. */
export interface Plan<R> {
  readonly kind: StreamKind;
  readonly id: string;
  /** Items, or bytes. */
  readonly total: number;
  /** How many from the beginning have been sent so far, once or more often. */
  readonly sent: () => number;
  /** One call: what stands from `from` up to `to`. */
  call(endpoint: Endpoint, from: number, to: number, signal: AbortSignal): Promise<WindowReceipt<R>>;
  /** The receipt of the stream once it is finished. */
  result(info: StreamInfo): R | undefined;
}

export interface WindowReceipt<R> {
  readonly receipt: R;
  readonly committed: number;
  readonly finished: boolean;
}

/** An id of a stream that begins now, or at another moment. */
export function newStreamId(name = "", time?: number): string {
  return name + ulid(time);
}

export class ResumingClient {
  readonly traffic: Traffic = { calls: 0, items: 0, itemsAgain: 0, bytes: 0, bytesAgain: 0, failures: new Map() };
  readonly random: Random;
  readonly options: Required<ResumeOptions>;
  readonly #http: Deno.HttpClient | undefined;
  /** The endpoint that is in use. */
  #at: number;

  constructor(options: ResumeOptions) {
    const { callMs = 8000, stuckMs = 120_000, maxItems = 4000, maxBytes = 4 * MIB, restlessness = 0.5, http2 = false } =
      options;
    this.options = {
      ...options,
      callMs,
      stuckMs,
      maxItems,
      maxBytes,
      restlessness,
      http2,
      pace: options.pace ?? (() => {}),
    };
    this.#http = http2 ? Deno.createHttpClient({ http1: false, http2: true }) : undefined;
    this.random = options.random;
    this.#at = 0;
  }

  get pace(): () => Promise<void> | void {
    return this.options.pace;
  }

  /** Sends a stream to its end, whatever happens on the way, and returns its receipt. */
  run<R>(plan: Plan<R>): Promise<R> {
    return new Run(this, plan, this.options.stuckMs).run();
  }

  /** No more calls are made. */
  [Symbol.dispose](): void {
    this.#http?.close();
  }

  /** The one in use. */
  get endpoint(): Endpoint {
    const url = this.options.endpoints[this.#at];
    return { url, headers: {}, fetch: (input, init) => fetchAnswer(input, { ...init, client: this.#http }) };
  }

  /** How many items, or bytes, the next call takes; small numbers are as likely as large ones. */
  window(kind: StreamKind): number {
    const { maxItems, maxBytes } = this.options;
    return Math.ceil((kind === StreamKind.FILE ? maxBytes : maxItems) ** this.random.next());
  }

  /** Waits, longer each time, for a random part of that; and goes to the next endpoint, if this one fails again. */
  async backOff(failures: number, error: unknown): Promise<void> {
    const name = error instanceof ConnectError ? Code[error.code] : (error as Error).name;
    this.traffic.failures.set(name, (this.traffic.failures.get(name) ?? 0) + 1);
    const { endpoints, restlessness } = this.options;
    if (failures > 0 || this.random.next() < restlessness) this.#at = (this.#at + 1) % endpoints.length;
    const wait = this.random.next() * Math.min(1000, 20 * 2 ** failures);
    // RetryInfo says how long at the least, but there may be another endpoint.
    const told = error instanceof ConnectError && endpoints.length === 1 ? retryMs(error) : 0;
    await sleep(Math.max(wait, Math.min(told, 200)));
  }
}

/** One stream on its way. */
class Run<R> {
  /** How far the server has said that it is; that may become more, never less. */
  #committed = 0;
  /** When it last became more. */
  #moved = performance.now();
  readonly #history: string[] = [];

  constructor(readonly client: ResumingClient, readonly plan: Plan<R>, readonly stuckMs: number) {}

  async run(): Promise<R> {
    const { client, plan } = this;
    for (let failures = 0;;) {
      const from = this.#committed;
      const to = Math.min(plan.total, from + client.window(plan.kind));
      try {
        client.traffic.calls++;
        const signal = AbortSignal.timeout(client.options.callMs);
        const { receipt, committed, finished } = await plan.call(client.endpoint, from, to, signal);
        this.#note(`receipt for ${from} to ${to}: ${committed}${finished ? ", finished" : ""}`);
        this.#moveTo(committed, "a receipt says");
        if (finished) return receipt;
        failures = 0;
      } catch (error) {
        this.#note(`call for ${from} to ${to} failed: ${error}`);
        this.#assertRetryable(error);
        const told = error instanceof ConnectError ? error.findDetails(StreamStatusSchema)[0] : undefined;
        if (told) this.#moveTo(Number(told.committed), "the error says");
        await client.backOff(failures++, error);
        const info = await this.#ask();
        this.#note(`GetStream: ${info ? `${info.committed}, epoch ${info.epoch}` : "nothing"}`);
        this.#moveTo(Number(info?.committed ?? 0), "GetStream says");
        // What is finished is also finished for whoever sends its end again.
        if (info?.state === StreamState.FINISHED && client.random.next() < 0.5) {
          return plan.result(info) ?? this.#broken("it is finished, but without a receipt");
        }
      }
    }
  }

  /** How far the stream is, on whichever endpoint answers; undefined if nothing of it is durable. */
  async #ask(): Promise<StreamInfo | undefined> {
    for (let failures = 0;;) {
      try {
        return await getStream(this.client.endpoint, this.plan.kind, this.plan.id);
      } catch (error) {
        // A foreign answer, or none, is `unknown` to connect-web.
        if (!(error instanceof ConnectError && error.code === Code.Unknown)) this.#assertRetryable(error);
        await this.client.backOff(failures++, error);
      }
    }
  }

  #moveTo(committed: number, who: string): void {
    // More than this call brought may be there: one that was given up may have arrived late.
    if (committed < this.#committed || committed > this.plan.sent()) {
      this.#broken(`${who} ${committed}: ${this.#committed} were committed before, ${this.plan.sent()} have been sent`);
    }
    if (committed > this.#committed) this.#moved = performance.now();
    this.#committed = committed;
  }

  #assertRetryable(error: unknown): void {
    if (error instanceof BrokenPromise) throw error;
    if (!isRetryable(error)) this.#broken(error instanceof Error ? error.message : String(error), error);
    if (performance.now() - this.#moved > this.stuckMs) this.#broken(`it does not get on: ${error}`, error);
  }

  #broken(what: string, cause?: unknown): never {
    const { id, total } = this.plan;
    throw new BrokenPromise(`${id} at ${this.#committed} of ${total}: ${what}`, this.#history, { cause });
  }

  #note(event: string): void {
    this.#history.push(`${new Date().toISOString()} ${event}`);
    if (this.#history.length > HISTORY) this.#history.shift();
  }
}

/** Calls a method with the headers of a stream. */
export function callStream<T, I extends DescMessage, O extends DescMessage>(
  endpoint: Endpoint,
  method: Parameters<typeof callClientStreaming<T, I, O>>[1],
  headers: Record<string, string>,
  options: StreamCallOptions<T>,
): Promise<MessageShape<O>> {
  return callClientStreaming({ ...endpoint, headers: { ...endpoint.headers, ...headers } }, method, options);
}

/** What a server knows of a stream. */
export async function getStream(
  { url, fetch = fetchAnswer }: Partial<Endpoint> & Pick<Endpoint, "url">,
  kind: StreamKind,
  streamId: string,
): Promise<StreamInfo | undefined> {
  const transport = createConnectTransport({ baseUrl: url, useBinaryFormat: true, fetch });
  try {
    const { stream } = await createClient(StreamService, transport).getStream({ kind, streamId }, { timeoutMs: 5000 });
    return stream;
  } catch (error) {
    if (error instanceof ConnectError && error.code === Code.NotFound) return undefined;
    throw error;
  }
}

/** Whether sending again, after GetStream, can help. */
export function isRetryable(error: unknown): boolean {
  if (error instanceof DOMException && error.name === "TimeoutError") return true;
  if (!(error instanceof ConnectError)) return false;
  if (error.code === Code.ResourceExhausted) return retryInfo(error) !== undefined;
  return error.code === Code.Unavailable || error.code === Code.Aborted || error.code === Code.DeadlineExceeded;
}

/** fetch, for which an answer that is not of the server's making is no answer. */
async function fetchAnswer(
  input: RequestInfo | URL,
  init?: RequestInit & { client?: Deno.HttpClient },
): Promise<Response> {
  const response = await fetch(input, init);
  const { status } = response;
  const foreign = status === 408 || status === 429 || status === 502 || status === 503 || status === 504;
  if (!foreign || response.headers.get("content-type")?.startsWith("application/")) return response;
  await response.body?.cancel();
  throw new TypeError(`HTTP ${status}`);
}

function retryMs(error: ConnectError): number {
  const delay = retryInfo(error)?.retryDelay;
  return delay ? Number(delay.seconds) * 1000 + delay.nanos / 1e6 : 0;
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
