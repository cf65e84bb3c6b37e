import { ConnectionError, ErrorCode } from "./errors.ts";
import type { Http2Limits } from "./limits.ts";

const NONE = new Uint8Array(0);

/** A header block that takes more than one frame (RFC 9113 section 4.3), until its last CONTINUATION. */
export class HeaderBlock {
  streamId = 0;
  endStream = false;
  /** Its HEADERS says that the stream depends on itself, which is an error once the block is decoded. */
  selfDependent = false;
  /** When it began, for slow ones. */
  beganAt = 0;
  buffer: Uint8Array<ArrayBuffer> = NONE;
  length = 0;
  #frames = 0;

  constructor(readonly limits: Http2Limits) {}

  /** Whether a block is under way; nothing but its CONTINUATION may then arrive. */
  get open(): boolean {
    return this.streamId !== 0;
  }

  begin(streamId: number, endStream: boolean, selfDependent: boolean, now: number): void {
    this.streamId = streamId;
    this.endStream = endStream;
    this.selfDependent = selfDependent;
    this.beganAt = now;
    this.length = 0;
    this.#frames = 0;
  }

  append(fragment: Uint8Array): void {
    const { maxHeaderBlockBytes, maxContinuationFrames } = this.limits;
    if (this.length + fragment.length > maxHeaderBlockBytes) {
      throw new ConnectionError(
        ErrorCode.ENHANCE_YOUR_CALM,
        `Cannot accept a header block over ${maxHeaderBlockBytes} bytes (maxHeaderBlockBytes)`,
      );
    }
    if (this.#frames++ > maxContinuationFrames) {
      throw new ConnectionError(
        ErrorCode.ENHANCE_YOUR_CALM,
        `Cannot accept a header block of more than ${maxContinuationFrames} CONTINUATION (maxContinuationFrames)`,
      );
    }
    const needed = this.length + fragment.length;
    if (needed > this.buffer.length) {
      const larger = new Uint8Array(needed * 2);
      larger.set(this.buffer.subarray(0, this.length));
      this.buffer = larger;
    }
    this.buffer.set(fragment, this.length);
    this.length = needed;
  }

  /** Forgets the block, and its memory. */
  end(): void {
    this.streamId = 0;
    if (this.buffer.length > 0) this.buffer = NONE;
  }
}
