/**
 * The few requests to an S3-compatible server that blobs need. All of them are idempotent, so each is repeated, with
 * pauses of a random length, until it is answered or S3_TIMEOUT_MS have passed; then it is UNAVAILABLE.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { Code, ConnectError } from "@connectrpc/connect";
import { pause } from "../../clock.ts";
import { unavailable } from "../../errors.ts";
import { S3_ATTEMPT_MS, S3_MAX_RETRY_MS, S3_RETRY_MS, S3_TIMEOUT_MS, S3_UPLOAD_BYTES } from "../../limits.ts";
import type { Platform } from "../platform.ts";
import { ByteGate } from "./byte_gate.ts";
import { errorCode, type Listing, parseListing } from "./s3_listing.ts";
import { createSigner, type S3Config, type S3Sign } from "./s3_signer.ts";
import { within } from "./s3_time.ts";

export type S3Platform = Pick<Platform, "fetch" | "clock" | "random" | "digest">;

interface S3Request {
  readonly method: string;
  /** Empty for the bucket itself. */
  readonly key: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array<ArrayBuffer>;
}

type Body = ReadableStreamDefaultReader<Uint8Array>;

/** Codes of answers that ask for the same again, with a status that does not say so. */
const PASSING_CODES = new Set([
  "RequestTimeTooSkewed",
  "RequestTimeout",
  "BadDigest",
  "XAmzContentSHA256Mismatch",
  "XAmzContentChecksumMismatch",
]);

/** What the server answered instead of doing it. */
class S3Refusal extends Error {
  override name = "S3Refusal";

  constructor(what: string, readonly status: number, readonly code: string) {
    super(`${what}: the server answered ${status} ${code}`);
  }

  /** Whether the same request may be answered otherwise next time. 409: another one for the key is being worked on. */
  get passes(): boolean {
    return (this.status >= 500 && this.status !== 501) || [408, 409, 429].includes(this.status) ||
      PASSING_CODES.has(this.code);
  }

  /** The object, or that range of it, is not there; the bucket is. */
  get isMissing(): boolean {
    return this.status === 416 || (this.status === 404 && this.code === "NoSuchKey");
  }
}

export class S3Client {
  readonly #bucket: string;
  readonly #uploads = new ByteGate(S3_UPLOAD_BYTES);
  /** How far our clock is behind the server's, ms; 0 as long as that takes it for right. */
  #behind = 0;

  constructor(
    config: S3Config,
    private readonly platform: S3Platform,
    private readonly sign: S3Sign = createSigner(config),
  ) {
    this.#bucket = config.url;
  }

  /**
   * Makes an object, which must not exist but with these very bytes; the server verifies their SHA-256. Returns whether one
   * request did it; else another one may still be reading `data`. ABORTED if the object has other bytes. Gives up when
   * `ended` aborts.
   */
  async put(key: string, data: Uint8Array<ArrayBuffer>, ended: AbortSignal): Promise<boolean> {
    let sha256: Uint8Array | undefined;
    let attempts = 0;
    const attempt = async (signal: AbortSignal): Promise<boolean> => {
      attempts++;
      sha256 ??= await this.platform.digest(data);
      const headers = {
        "x-amz-content-sha256": sha256.toHex(),
        "x-amz-checksum-sha256": sha256.toBase64(),
        "if-none-match": "*",
      };
      try {
        await this.#ask({ method: "PUT", key, headers, body: data }, signal, drain);
        return false;
      } catch (error) {
        if (error instanceof S3Refusal && error.status === 412) return true;
        throw error;
      }
    };
    const exists = await this.#insist(
      "write a part",
      S3_TIMEOUT_MS,
      (signal) => this.#uploads.run(data.length, signal, () => attempt(signal)),
      ended,
    );
    // The answer to an earlier attempt may have been lost; then the object is ours.
    if (exists && !await this.#holds(key, data)) {
      throw new ConnectError("Cannot write a part: another writer has written it", Code.Aborted);
    }
    return attempts === 1;
  }

  /** One page of the objects whose keys begin with `prefix`. */
  list(prefix: string, options: { readonly after?: string; readonly limit?: number } = {}): Promise<Listing> {
    const query: Record<string, string> = { "list-type": "2", prefix };
    if (options.after !== undefined) query["continuation-token"] = options.after;
    if (options.limit !== undefined) query["max-keys"] = String(options.limit);
    return this.#insist(
      "list parts",
      S3_ATTEMPT_MS,
      (signal) =>
        this.#ask({ method: "GET", key: "", query }, signal, async (answer) => parseListing(await answer.text())),
    );
  }

  /**
   * Bytes of an object from `start` (inclusive) up to `end` (exclusive), and no fewer: an answer that breaks off is asked
   * for again from there. Throws what `missing` returns if the object has no such bytes.
   */
  async *read(key: string, start: number, end: number, missing: () => Error): AsyncGenerator<Uint8Array> {
    for (let at = start; at < end;) {
      const { body, first } = await this.#insist(
        "read a part",
        S3_ATTEMPT_MS,
        (signal) => this.#open(key, at, end, signal, missing),
      );
      try {
        let chunk: Uint8Array | undefined = first;
        while (chunk) {
          at += chunk.length;
          yield chunk;
          // Asked for after the last byte too: only an answer that was read to its end leaves its connection to others.
          chunk = await this.#next(body, end - at);
        }
      } finally {
        body.cancel().catch(() => {});
      }
    }
  }

  /** Removes an object; nothing if there is none. */
  async remove(key: string): Promise<void> {
    await this.#insist(
      "remove a part",
      S3_ATTEMPT_MS,
      (signal) =>
        this.#ask({ method: "DELETE", key }, signal, drain).catch((error) => {
          if (!(error instanceof S3Refusal && error.isMissing)) throw error;
        }),
    );
  }

  /** Whether an object has these bytes. Read whole, for not every server says the SHA-256 of one. */
  #holds(key: string, data: Uint8Array): Promise<boolean> {
    return this.#insist(
      "compare a part",
      S3_TIMEOUT_MS,
      (signal) =>
        this.#ask({ method: "GET", key }, signal, async (answer) => {
          if (Number(answer.headers.get("content-length")) !== data.length) return await answer.body?.cancel(), false;
          return Buffer.compare(await answer.bytes(), data) === 0;
        }),
    );
  }

  /** Opens a range, up to its first bytes: so whatever is opened brings the reader forward. */
  #open(
    key: string,
    at: number,
    end: number,
    signal: AbortSignal,
    missing: () => Error,
  ): Promise<{ body: Body; first: Uint8Array }> {
    const headers = { range: `bytes=${at}-${end - 1}` };
    return this.#ask({ method: "GET", key, headers }, signal, async (answer) => {
      const range = /^bytes (\d+)-(\d+)\//.exec(answer.headers.get("content-range") ?? "");
      const body = answer.body?.getReader();
      try {
        if (answer.status !== 206 || !body || Number(range?.[1]) !== at) {
          throw new Error("the answer is not the range asked for");
        }
        // The object ends before: that is no matter of another attempt.
        if (Number(range?.[2]) < end - 1) throw missing();
        const { value } = await body.read();
        if (!value || value.length > end - at) throw new Error("the answer is not as long as it should be");
        return { body, first: value };
      } catch (error) {
        body?.cancel().catch(() => {});
        throw error;
      }
    }).catch((error) => {
      throw error instanceof S3Refusal && error.isMissing ? missing() : error;
    });
  }

  /** More of an answer, at most `left` bytes; undefined if it breaks off. */
  async #next(body: Body, left: number): Promise<Uint8Array | undefined> {
    try {
      const { value } = await within(this.platform.clock, S3_ATTEMPT_MS, undefined, () => body.read());
      return value && value.length <= left ? value : undefined;
    } catch {
      return undefined;
    }
  }

  /**
   * One attempt. `read` takes what the answer says. A server that finds our clock wrong says what time it is; another
   * attempt goes by that.
   */
  async #ask<T>(request: S3Request, signal: AbortSignal, read: (answer: Response) => Promise<T>): Promise<T> {
    const { method, key, query, body } = request;
    const url = new URL(key === "" ? this.#bucket : `${this.#bucket}/${key}`);
    url.search = new URLSearchParams(query).toString();
    const headers = await this.sign(
      { method, url, headers: request.headers ?? {} },
      this.platform.clock.now() + this.#behind,
    );
    const answer = await this.platform.fetch(url, { method, headers, body, signal, redirect: "manual" });
    if (!answer.ok) {
      const code = errorCode(await answer.text());
      if (code === "RequestTimeTooSkewed") {
        this.#behind = Date.parse(answer.headers.get("date") ?? "") - this.platform.clock.now() || 0;
      }
      throw new S3Refusal(`${method} ${url.pathname}`, answer.status, code);
    }
    return await read(answer);
  }

  /** What `attempt` comes to, tried until then, until S3_TIMEOUT_MS have passed or until it is no use. */
  async #insist<T>(
    what: string,
    attemptMs: number,
    attempt: (signal: AbortSignal) => Promise<T>,
    ended?: AbortSignal,
  ): Promise<T> {
    const { clock } = this.platform;
    let failure: unknown;
    try {
      return await within(clock, S3_TIMEOUT_MS, ended, async (signal) => {
        for (let longest = S3_RETRY_MS;; longest = Math.min(longest * 2, S3_MAX_RETRY_MS)) {
          try {
            return await within(clock, attemptMs, signal, attempt);
          } catch (error) {
            // Once the time is up, what went before says more.
            if (!signal.aborted) failure = error;
            if (error instanceof ConnectError || (error instanceof S3Refusal && !error.passes)) throw error;
          }
          await pause(clock, this.platform.random() * longest, signal);
        }
      });
    } catch (error) {
      if (error instanceof ConnectError) throw error;
      throw unavailable(`Cannot ${what}: the bucket failed`, failure ?? error);
    }
  }
}

/** Reads what little an answer says, for its connection to be used again. */
async function drain(answer: Response): Promise<void> {
  await answer.bytes();
}
