/**
 * Downloading a file: verified as it comes, and gone on with where the connection was cut.
 *
 * @module
 */
import { type FileChunk, type FileInfo, FileUploadService } from "../gen/sluice/v1/file_upload_pb.ts";
import type { Core } from "./core.ts";
import { Code } from "./deps.ts";
import { SluiceError, toSluiceError } from "./errors.ts";
import { createRunningHash, type RunningHash, sha256Hex } from "./hash.ts";
import { Retries } from "./retry.ts";
import { callStream } from "./server_stream.ts";
import { ask, type AskOptions, cancelled, waitToRetry } from "./unary.ts";

/** Which part of a file. */
export interface DownloadOptions {
  /** First byte. Default: 0. */
  offset?: number;
  /** How many bytes. Default: up to the end. */
  length?: number;
  signal?: AbortSignal;
  /** How long it may take, retries and all, ms. Default: that of the client. */
  deadlineMs?: number;
}

/** @throws {SluiceError} `not_found` if there is none of that id. */
export async function getFile(core: Core, id: string, options?: AskOptions): Promise<FileInfo> {
  const { file } = await ask(core, FileUploadService.method.getFile, { fileId: id }, options);
  if (file !== undefined) return file;
  throw new SluiceError(`The answer holds no metadata of ${id}`, { code: Code.Internal, reason: "server" });
}

/** Implements `files.download` of the client. */
export function download(core: Core, id: string, options: DownloadOptions): ReadableStream<Uint8Array<ArrayBuffer>> {
  const abort = new AbortController();
  const signals = [core.closed, abort.signal];
  if (options.signal !== undefined) signals.push(options.signal);
  const signal = AbortSignal.any(signals);
  const pieces = new Download(core, id, options, signal).pieces();
  let onAbort = () => {};
  const forget = () => signal.removeEventListener("abort", onAbort);
  return new ReadableStream<Uint8Array<ArrayBuffer>>({
    start(controller) {
      onAbort = () => {
        controller.error(cancelled(signal));
        // Between two pieces, nothing else tells it.
        pieces.return(undefined).catch(() => {});
      };
      signal.addEventListener("abort", onAbort, { once: true });
    },
    async pull(controller) {
      try {
        const { done, value } = await pieces.next();
        if (signal.aborted) throw cancelled(signal);
        if (!done) return controller.enqueue(value);
        forget();
        controller.close();
      } catch (error) {
        forget();
        throw error;
      }
    },
    cancel(reason) {
      abort.abort(reason);
    },
    // What is read is what was asked for, so a reader that stops stops the server too.
  }, { highWaterMark: 0 });
}

class Download {
  readonly #offset: number;
  readonly #length: number | undefined;
  readonly #retries: Retries;
  /** The byte that comes next. */
  #at: number;
  #whole: RunningHash | undefined;
  #last: FileChunk | undefined;

  constructor(
    readonly core: Core,
    readonly id: string,
    { offset = 0, length, deadlineMs = core.deadlineMs }: DownloadOptions,
    readonly signal: AbortSignal,
  ) {
    this.#retries = new Retries(core.retry, { signal, deadlineMs });
    this.#offset = this.#at = offset;
    this.#length = length;
  }

  async *pieces(): AsyncGenerator<Uint8Array<ArrayBuffer>> {
    // Of a length, 0 means up to the end on the wire.
    if (this.#length === 0) return;
    if (this.#offset === 0 && this.#length === undefined) this.#whole = await createRunningHash();
    try {
      yield* this.#verified();
    } finally {
      this.#whole?.close();
    }
  }

  async *#verified(): AsyncGenerator<Uint8Array<ArrayBuffer>> {
    for (;;) {
      const before = this.#at;
      let failure: SluiceError;
      try {
        for await (const chunk of this.#chunks()) {
          await this.#verifyChunk(chunk);
          this.#at += chunk.data.length;
          this.#last = chunk;
          if (chunk.data.length > 0) yield chunk.data as Uint8Array<ArrayBuffer>;
        }
        return await this.#verifyEnd();
      } catch (error) {
        if (this.signal.aborted) throw cancelled(this.signal);
        failure = toSluiceError(error);
      }
      if (this.#at > before) this.#retries.progress();
      await waitToRetry(this.core, this.#retries, failure, this.signal);
      if (this.#isComplete()) return await this.#verifyEnd();
    }
  }

  /** All bytes are there, and only the end of the answer was cut off. */
  #isComplete(): boolean {
    return this.#last !== undefined && this.#at === this.#end();
  }

  #end(): number {
    const size = Number(this.#last?.totalSize ?? 0n);
    return this.#length === undefined ? size : Math.min(this.#offset + this.#length, size);
  }

  /** What comes from here on, of one call. */
  #chunks(): AsyncGenerator<FileChunk> {
    const { core, id, signal } = this;
    const rest = this.#length === undefined ? 0 : this.#offset + this.#length - this.#at;
    const { downloadFile } = FileUploadService.method;
    const request = { fileId: id, offset: BigInt(this.#at), length: BigInt(rest) };
    return callStream(core, downloadFile, request, { signal, retries: this.#retries });
  }

  /** @throws {SluiceError} `data_loss` if the chunk is not the next one, or not what it should be. */
  async #verifyChunk(chunk: FileChunk): Promise<void> {
    const { id } = this;
    const at = this.#at;
    if (chunk.offset !== BigInt(at)) throw damaged(`File ${id} goes on at byte ${chunk.offset} instead of ${at}`);
    const digest = chunk.checksum === "" ? undefined : sha256Hex(chunk.data);
    const actual = await digest;
    if (actual !== undefined && actual !== chunk.checksum) {
      throw damaged(
        `File ${id} has SHA-256 ${actual} instead of ${chunk.checksum} in the ${chunk.data.length} bytes from ${at}`,
      );
    }
    await this.#whole?.update(chunk.data);
  }

  async #verifyEnd(): Promise<void> {
    const { core, id, signal } = this;
    // Unless nothing came at all, in which case there is no size to compare with.
    const end = this.#end();
    if (this.#last !== undefined && this.#last.totalSize > 0n && this.#at !== end) {
      throw damaged(`File ${id} ended at byte ${this.#at} instead of ${end}`);
    }
    if (this.#whole === undefined) return;
    const options = { signal, deadlineMs: this.#retries.timeLeft(Infinity) };
    const expected = this.#last?.fileChecksum || (await getFile(core, id, options)).checksum;
    const actual = await this.#whole.digest();
    if (actual !== expected) throw damaged(`File ${id} has SHA-256 ${actual} instead of ${expected}`);
  }
}

/** The answer to a call whose request is one message. */
function damaged(message: string): SluiceError {
  return new SluiceError(message, { code: Code.DataLoss, reason: "damaged", retryable: false });
}
