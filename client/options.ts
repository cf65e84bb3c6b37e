/**
 * What a client can be told, and what it is made of.
 *
 * @module
 */
import { type Clock, type Random, systemClock } from "./clock.ts";
import type { Core } from "./core.ts";
import { Code } from "./deps.ts";
import { EndpointPool } from "./endpoints.ts";
import { SluiceError } from "./errors.ts";
import type { OnEvent } from "./events.ts";
import { CALL_TIMEOUT_MS } from "./limits.ts";
import { RateLimit, type RateOptions } from "./rate.ts";
import { type RetryOptions, RetryPolicy } from "./retry.ts";
import { createUploadMemory, type UploadMemory } from "./upload_memory.ts";
import { type Transport, WayChoice } from "./way.ts";

/** Where the server is, who calls, and how. */
export interface SluiceOptions {
  /** Such as `http://127.0.0.1:8080`; this or `urls`. */
  url?: string | URL;
  /** Several endpoints of one service, which share its stores: calls go to those that are well and have least to do. */
  urls?: readonly (string | URL)[];
  /** Sent as `authorization: Bearer ...`. A function is asked before each call, and so can give a new one in time. */
  token?: string | (() => string | Promise<string>);
  /** What makes the requests. Default: the platform's. */
  fetch?: typeof globalThis.fetch;
  /** How streams are sent. Default: `auto`, which finds out what works. */
  transport?: Transport;
  /** How failures are met that a retry can cure; `false` for not at all: the first failure ends a stream. */
  retry?: RetryOptions | false;
  /** How long a receipt may take once a window was sent, or an answer in parts may be silent, ms. Default: 30,000. */
  callTimeoutMs?: number;
  /** How long a stream or a question may take, retries and all, ms. Default: as long as it goes on. */
  deadlineMs?: number;
  /** How fast to send at the most. */
  rate?: RateOptions;
  /**
   * A folder (Deno, Node) where the client remembers uploads that have not ended, so that they go on when the program
   * is started again, and where the offline buffers of writers are. Browsers have localStorage and IndexedDB for that.
   */
  stateDir?: string;
  /** Told what happens. */
  onEvent?: OnEvent;
  /** Where time comes from. Default: the machine's clock. */
  clock?: Clock;
  /** Where chance comes from. Default: Math.random. */
  random?: Random;
}

/** @throws {TypeError} if a URL is none, or is not http(s); {RangeError} if a number is not above 0. */
export function createCore(options: SluiceOptions): { core: Core; memory: UploadMemory | undefined; close(): void } {
  const {
    token,
    fetch = globalThis.fetch,
    transport = "auto",
    retry = {},
    callTimeoutMs = CALL_TIMEOUT_MS,
    deadlineMs = Infinity,
    rate = {},
    stateDir,
    onEvent = () => {},
    clock = systemClock,
    random = Math.random,
  } = options;
  for (const [name, ms] of Object.entries({ callTimeoutMs, deadlineMs })) {
    if (!(ms > 0)) throw new RangeError(`Cannot use ${name}: it must be above 0, not ${ms}`);
  }
  const urls = urlsOf(options);
  const closing = new AbortController();
  const pool = new EndpointPool({
    urls,
    headers: () => headersOf(token),
    headersTimeoutMs: callTimeoutMs,
    // Not handed on as it is: a browser's fetch must not be called as a method of something else.
    fetch: (input, init) => fetch(input, init),
    clock,
    random,
    onEvent,
  });
  const core: Core = {
    pool,
    retry: new RetryPolicy(retry, clock, random),
    way: new WayChoice(transport, urls, onEvent),
    rate: new RateLimit(rate, clock),
    clock,
    onEvent,
    callTimeoutMs,
    deadlineMs,
    server: urls.join(" "),
    stateDir,
    closed: closing.signal,
  };
  return {
    core,
    memory: createUploadMemory(core.server, stateDir),
    close() {
      pool.state.set("shutdown");
      closing.abort(new SluiceError("The client was closed", { code: Code.Canceled, reason: "closed" }));
    },
  };
}

async function headersOf(token: SluiceOptions["token"]): Promise<Record<string, string>> {
  if (token === undefined) return {};
  try {
    return { authorization: `Bearer ${typeof token === "string" ? token : await token()}` };
  } catch (cause) {
    throw new SluiceError(`There is no token: ${cause instanceof Error ? cause.message : cause}`, {
      code: Code.Unauthenticated,
      reason: "token",
      retryable: false,
      cause,
    });
  }
}

function urlsOf({ url, urls = url === undefined ? [] : [url] }: SluiceOptions): string[] {
  if (urls.length === 0) throw new TypeError("Cannot make a client without url");
  return urls.map((url) => {
    const { protocol, href } = new URL(url);
    if (protocol !== "http:" && protocol !== "https:") {
      throw new TypeError(`Cannot use url: it must begin with http:// or https://, not ${protocol}`);
    }
    return href.replace(/\/+$/, "");
  });
}
