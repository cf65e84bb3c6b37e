import { ConnectionError, ErrorCode } from "./errors.ts";
import {
  DEFAULT_HEADER_TABLE_BYTES,
  DEFAULT_WINDOW_BYTES,
  Flag,
  FRAME_HEADER_BYTES,
  FrameType,
  MAX_WINDOW_BYTES,
} from "./frames/constants.ts";
import { PeerSettings, SETTING_BYTES, writeSettings } from "./frames/settings.ts";
import {
  PING_FRAME_BYTES,
  WORD_FRAME_BYTES,
  writeFrameHeader,
  writeGoaway,
  writePing,
  writeRstStream,
  writeWindowUpdate,
} from "./frames/writer.ts";
import { HpackEncoder } from "./hpack/encoder.ts";
import type { Http2Limits } from "./limits.ts";
import type { Output } from "./output.ts";
import { type Stream, StreamState } from "./stream.ts";

const EMPTY = new Uint8Array(0);
const encodeText = new TextEncoder();

/** What we send: frames into the output, under the peer's windows and settings. */
export class Outbound {
  readonly peer = new PeerSettings();
  readonly #encoder: HpackEncoder;
  /** The connection's window (RFC 9113 section 6.9.1). */
  #window = DEFAULT_WINDOW_BYTES;
  /** Streams whose window permits to send, and that wait for the connection's window or for the socket, in turn. */
  readonly #queue = new Set<Stream>();

  constructor(
    readonly output: Output,
    readonly limits: Http2Limits,
    /** Called for each frame of a response. */
    readonly onResponseFrame: () => void,
  ) {
    this.#encoder = new HpackEncoder(limits.encoderTableBytes, DEFAULT_HEADER_TABLE_BYTES);
  }

  /** A block of fields as HEADERS, and CONTINUATION if the peer's frames are too small for it. */
  headers(stream: Stream, fields: Iterable<readonly [string, string]>, endStream: boolean): void {
    const encoder = this.#encoder;
    encoder.begin();
    for (const [name, value] of fields) encoder.field(name, value);
    const max = this.peer.maxFrameSize;
    for (let at = 0, type: number = FrameType.HEADERS; at === 0 || at < encoder.length; at += max) {
      const end = Math.min(at + max, encoder.length);
      let flags = end === encoder.length ? Flag.END_HEADERS : 0;
      if (at === 0 && endStream) flags |= Flag.END_STREAM;
      const offset = this.output.reserve(FRAME_HEADER_BYTES + end - at);
      const payload = writeFrameHeader(this.output.buffer, offset, end - at, type, flags, stream.id);
      this.output.buffer.set(encoder.buffer.subarray(at, end), payload);
      type = FrameType.CONTINUATION;
    }
    if (endStream) this.#ended(stream);
    this.onResponseFrame();
  }

  /**
   * Sends a part of the response body. What the windows or the socket do not take now is sent later, without copying
   * `data` before; then the result is a promise for that. An empty part waits for the socket only.
   */
  data(stream: Stream, data: Uint8Array): Promise<void> | undefined {
    if (stream.closed) return undefined;
    stream.pending = data;
    if (this.#advance(stream, Infinity)) return undefined;
    return new Promise((resolve) => stream.resume = resolve);
  }

  /** Ends the response without trailers. */
  endStream(stream: Stream): void {
    this.#dataFrame(stream, EMPTY, Flag.END_STREAM);
    this.#ended(stream);
  }

  /** The peer grants more for one stream. */
  streamWindowUpdated(stream: Stream, increment: number): boolean {
    stream.sendWindow += increment;
    if (stream.sendWindow > MAX_WINDOW_BYTES) return false;
    if (stream.pending) this.#queue.add(stream);
    this.pump();
    return true;
  }

  /** The peer grants more for the connection. */
  connectionWindowUpdated(increment: number): void {
    this.#window += increment;
    if (this.#window > MAX_WINDOW_BYTES) {
      throw new ConnectionError(ErrorCode.FLOW_CONTROL_ERROR, `Cannot grow the connection's window to ${this.#window}`);
    }
    this.pump();
  }

  /** Applies the peer's SETTINGS and acknowledges them. */
  settings(buffer: Uint8Array, start: number, end: number, streams: Iterable<Stream>): void {
    const before = this.peer.initialWindowSize;
    this.peer.apply(buffer, start, end);
    this.#encoder.permitTableSize(this.peer.headerTableSize);
    this.sendSettings(Flag.ACK, []);
    // RFC 9113 section 6.9.2: windows move by the difference, below zero too.
    const change = this.peer.initialWindowSize - before;
    if (change === 0) return;
    for (const stream of streams) {
      stream.sendWindow += change;
      if (stream.sendWindow > MAX_WINDOW_BYTES) {
        throw new ConnectionError(ErrorCode.FLOW_CONTROL_ERROR, "Cannot apply SETTINGS_INITIAL_WINDOW_SIZE: overflow");
      }
      if (stream.pending) this.#queue.add(stream);
    }
    this.pump();
  }

  /** Lets waiting streams go on, a frame each in turn, as far as the connection's window and the socket permit. */
  pump(): void {
    for (const stream of this.#queue) {
      if (this.output.length >= this.limits.maxOutputBytes) return;
      if (this.#window <= 0 && stream.pending?.length) continue;
      this.#queue.delete(stream);
      if (!stream.pending) continue;
      if (this.#advance(stream, 1)) {
        const { resume } = stream;
        stream.resume = undefined;
        resume?.();
      }
    }
  }

  rstStream(streamId: number, code: ErrorCode): void {
    const at = this.output.reserve(WORD_FRAME_BYTES);
    writeRstStream(this.output.buffer, at, streamId, code);
  }

  windowUpdate(streamId: number, increment: number): void {
    const at = this.output.reserve(WORD_FRAME_BYTES);
    writeWindowUpdate(this.output.buffer, at, streamId, increment);
  }

  ping(flags: number, opaque: Uint8Array): void {
    const at = this.output.reserve(PING_FRAME_BYTES);
    writePing(this.output.buffer, at, flags, opaque);
  }

  sendSettings(flags: number, settings: readonly (readonly [id: number, value: number])[]): void {
    const at = this.output.reserve(FRAME_HEADER_BYTES + settings.length * SETTING_BYTES);
    writeSettings(this.output.buffer, at, flags, settings);
  }

  goaway(lastStreamId: number, code: ErrorCode, message: string): void {
    const debug = encodeText.encode(message);
    const at = this.output.reserve(FRAME_HEADER_BYTES + 8 + debug.length);
    writeGoaway(this.output.buffer, at, lastStreamId, code, debug);
  }

  /** Sends up to `frames` frames of what is pending. True: nothing is left; else the stream is where it will be woken. */
  #advance(stream: Stream, frames: number): boolean {
    let rest = stream.pending!;
    const maxFrame = Math.min(this.peer.maxFrameSize, this.limits.maxSendFrameBytes);
    for (; frames > 0; frames--) {
      if (this.output.length >= this.limits.maxOutputBytes) break;
      const count = Math.min(rest.length, maxFrame, stream.sendWindow, this.#window);
      if (rest.length > 0) {
        if (count <= 0) break;
        this.#dataFrame(stream, count === rest.length ? rest : rest.subarray(0, count), 0);
        rest = rest.subarray(count);
      }
      if (rest.length === 0) {
        stream.pending = undefined;
        return true;
      }
    }
    stream.pending = rest;
    // A stream without a window is queued again by its WINDOW_UPDATE.
    if (stream.sendWindow > 0 || rest.length === 0) this.#queue.add(stream);
    return false;
  }

  #dataFrame(stream: Stream, data: Uint8Array, flags: number): void {
    const at = this.output.reserve(FRAME_HEADER_BYTES + data.length);
    this.output.buffer.set(
      data,
      writeFrameHeader(this.output.buffer, at, data.length, FrameType.DATA, flags, stream.id),
    );
    stream.sendWindow -= data.length;
    this.#window -= data.length;
    stream.sent.bytes += data.length;
    this.onResponseFrame();
  }

  #ended(stream: Stream): void {
    stream.state = stream.state === StreamState.OPEN ? StreamState.HALF_CLOSED_LOCAL : StreamState.CLOSED;
  }
}
