/**
 * Collects appends into parts. While one part is being uploaded the next one fills, and no more: two parts are all that a
 * writer holds.
 *
 * @module
 */
import { S3_BUFFER_BYTES, S3_PART_BYTES } from "../../limits.ts";
import type { PieceWriter } from "../types.ts";

/** Bytes that all writers of a store hold. */
export interface HeldBytes {
  bytes: number;
}

/**
 * Makes one part durable. Returns whether `data` is free afterwards; else a request that was given up may still be reading
 * it. `ended` aborts when nobody waits for it any more.
 */
export type PutPart = (offset: number, data: Uint8Array<ArrayBuffer>, ended: AbortSignal) => Promise<boolean>;

export class PartWriter implements PieceWriter {
  readonly room = Infinity;
  /** The part that is being filled: a buffer, how much of it is full, and where in the piece it begins. */
  #buffer = new Uint8Array(0);
  #length = 0;
  #offset = 0;
  /** A buffer that is done with. */
  #spare = new Uint8Array(0);
  #uploading: Promise<void> = Promise.resolve();
  #durable = 0;
  #failure: { readonly error: unknown } | undefined;
  readonly #ended = new AbortController();

  constructor(private readonly put: PutPart, private readonly held: HeldBytes) {}

  /** A part is made of whole appends, so that whatever is durable ends where one of them did. */
  async append(data: Uint8Array): Promise<void> {
    if (this.#failure) throw this.#failure.error;
    if (this.#length > 0 && this.#length + data.length > S3_PART_BYTES) await this.#endPart();
    this.#makeRoom(this.#length + data.length);
    this.#buffer.set(data, this.#length);
    this.#length += data.length;
    const crowded = this.held.bytes > S3_BUFFER_BYTES;
    if (this.#length >= S3_PART_BYTES || crowded) await this.#endPart();
    if (crowded) await this.#uploading;
  }

  async sync(all: boolean): Promise<{ length: number; mutations: [] }> {
    if (this.#failure) throw this.#failure.error;
    if (all && this.#length > 0) await this.#endPart();
    await this.#uploading;
    return { length: this.#durable, mutations: [] };
  }

  /** An upload that is under way is given up. It may still arrive; then it is beyond the committed length. */
  seal(): Promise<void> {
    this.#ended.abort();
    this.#release(this.#buffer);
    this.#release(this.#spare);
    this.#buffer = this.#spare = new Uint8Array(0);
    return Promise.resolve();
  }

  /** Uploads the part once the one before it is durable. */
  async #endPart(): Promise<void> {
    await this.#uploading;
    const [buffer, length, offset] = [this.#buffer, this.#length, this.#offset];
    [this.#buffer, this.#spare] = [this.#spare, new Uint8Array(0)];
    this.#length = 0;
    this.#offset += length;
    this.#uploading = this.#upload(offset, buffer, length);
    // Looked at by the next append or sync; until then a failure must not end the process.
    this.#uploading.catch(() => {});
  }

  async #upload(offset: number, buffer: Uint8Array<ArrayBuffer>, length: number): Promise<void> {
    try {
      const isFree = await this.put(offset, buffer.subarray(0, length), this.#ended.signal);
      this.#durable = offset + length;
      if (isFree && !this.#ended.signal.aborted && this.held.bytes <= S3_BUFFER_BYTES) this.#spare = buffer;
      else this.#release(buffer);
    } catch (error) {
      this.#failure = { error };
      this.#release(buffer);
      throw error;
    }
  }

  /** Lets the buffer grow with what arrives: a small file must not cost a whole part. */
  #makeRoom(length: number): void {
    if (length <= this.#buffer.length) return;
    const larger = new Uint8Array(Math.max(length, Math.min(this.#buffer.length * 2, S3_PART_BYTES)));
    larger.set(this.#buffer.subarray(0, this.#length));
    this.held.bytes += larger.length;
    this.#release(this.#buffer);
    this.#buffer = larger;
  }

  #release(buffer: Uint8Array): void {
    this.held.bytes -= buffer.length;
  }
}
