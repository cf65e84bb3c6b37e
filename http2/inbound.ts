import type { Conduct } from "./conduct.ts";
import { ConnectionError, ErrorCode, StreamError } from "./errors.ts";
import { Flag, FrameType } from "./frames/constants.ts";
import type { FrameReader } from "./frames/reader.ts";
import { SETTING_BYTES } from "./frames/settings.ts";
import { HeaderBlock } from "./header_block.ts";
import { HpackDecoder } from "./hpack/decoder.ts";
import type { Http2Limits } from "./limits.ts";
import type { Stream } from "./stream.ts";
import { Absence, type StreamTable } from "./stream_table.ts";

/** What frames of requests come to. */
export interface RequestFrames {
  readonly streams: StreamTable;
  /** A header block that opens a stream. `fields` is reused afterwards; `tooLarge`: not all are in it. */
  requestReceived(streamId: number, fields: readonly string[], endStream: boolean, tooLarge: boolean): void;
  trailersReceived(stream: Stream, fields: readonly string[], tooLarge: boolean): void;
  /** A DATA frame begins: `bytes` count for flow control, `overhead` of them are no data. */
  dataBegun(streamId: number, bytes: number, overhead: number): void;
  /** A piece of its data, in the reader's buffer. */
  dataReceived(start: number, end: number, endStream: boolean): void;
  resetReceived(stream: Stream, code: number): void;
  windowUpdateReceived(stream: Stream, increment: number): void;
  /** One stream is in the wrong; the connection goes on. */
  streamErred(streamId: number, error: StreamError): void;
}

/** What frames of the connection come to. */
export interface ConnectionFrames {
  settingsReceived(buffer: Uint8Array, start: number, end: number): void;
  settingsAcknowledged(): void;
  pingReceived(opaque: Uint8Array): void;
  pingAcknowledged(opaque: Uint8Array): void;
  goawayReceived(): void;
  windowUpdateReceived(increment: number): void;
}

/** Frames -> what they mean. Checks all that RFC 9113 section 6 says of each type. */
export class Inbound {
  readonly block: HeaderBlock;
  readonly #decoder: HpackDecoder;
  readonly #fields: string[] = [];
  #settingsSeen = false;

  constructor(
    readonly reader: FrameReader,
    readonly requests: RequestFrames,
    readonly connection: ConnectionFrames,
    readonly conduct: Conduct,
    readonly now: () => number,
    limits: Http2Limits,
  ) {
    this.block = new HeaderBlock(limits);
    this.#decoder = new HpackDecoder(limits.headerTableBytes, limits.maxHeaderListBytes);
  }

  /** Handles the current frame of the reader. Throws a `ConnectionError`; errors of streams go to the owner. */
  frame(): void {
    const { reader } = this;
    const { type, streamId } = reader;
    // RFC 9113 section 3.4: the preface ends with SETTINGS.
    if (!this.#settingsSeen && (type !== FrameType.SETTINGS || reader.flags & Flag.ACK)) {
      throw protocolError("the first frame is not SETTINGS");
    }
    // RFC 9113 section 6.10: nothing may come between the frames of a header block.
    if (this.block.open && (type !== FrameType.CONTINUATION || streamId !== this.block.streamId)) {
      throw protocolError("a header block is interrupted");
    }
    try {
      this.#dispatch(type, streamId);
    } catch (error) {
      if (!(error instanceof StreamError)) throw error;
      this.requests.streamErred(streamId, error);
    }
  }

  #dispatch(type: number, streamId: number): void {
    switch (type) {
      case FrameType.DATA:
        return this.#data(streamId);
      case FrameType.HEADERS:
        return this.#headers(streamId);
      case FrameType.PRIORITY:
        return this.#priority(streamId);
      case FrameType.RST_STREAM:
        return this.#rstStream(streamId);
      case FrameType.SETTINGS:
        return this.#settings(streamId);
      case FrameType.PUSH_PROMISE:
        // RFC 9113 section 8.4: a client cannot push.
        throw protocolError("PUSH_PROMISE comes from a client");
      case FrameType.PING:
        return this.#ping(streamId);
      case FrameType.GOAWAY:
        if (streamId !== 0) throw protocolError("GOAWAY is on a stream");
        if (this.reader.length < 8) throw sizeError("GOAWAY", this.reader.length);
        return this.connection.goawayReceived();
      case FrameType.WINDOW_UPDATE:
        return this.#windowUpdate(streamId);
      case FrameType.CONTINUATION:
        return this.#continuation();
      default:
        // RFC 9113 section 4.1: unknown types are ignored.
        this.conduct.control(this.now());
    }
  }

  #data(streamId: number): void {
    const { reader, requests } = this;
    const endStream = reader.last && (reader.flags & Flag.END_STREAM) !== 0;
    if (reader.first) {
      if (streamId === 0) throw protocolError("DATA is on stream 0");
      if (reader.length === reader.overhead && !endStream) this.conduct.control(this.now());
      requests.dataBegun(streamId, reader.length, reader.overhead);
    }
    requests.dataReceived(reader.start, reader.end, endStream);
  }

  #headers(streamId: number): void {
    const { buffer, flags, length } = this.reader;
    let { start, end } = this.reader;
    // RFC 9113 section 5.1.1: a client's streams have odd ids.
    if (streamId % 2 === 0) throw protocolError(`HEADERS is on stream ${streamId}`);
    if (flags & Flag.PADDED) {
      if (length < 1) throw sizeError("HEADERS", length);
      end -= buffer[start++];
    }
    let selfDependent = false;
    if (flags & Flag.PRIORITY) {
      if (end - start < 5) throw sizeError("HEADERS", length);
      selfDependent = this.#dependency(start) === streamId;
      start += 5;
    }
    if (end < start) throw protocolError("HEADERS has more padding than payload");
    this.block.begin(streamId, (flags & Flag.END_STREAM) !== 0, selfDependent, this.now());
    if (flags & Flag.END_HEADERS) {
      this.#blockComplete(buffer, start, end);
    } else {
      this.block.append(buffer.subarray(start, end));
    }
  }

  #continuation(): void {
    const { reader, block } = this;
    if (!block.open) throw protocolError("CONTINUATION has no header block to continue");
    block.append(reader.buffer.subarray(reader.start, reader.end));
    if (reader.flags & Flag.END_HEADERS) this.#blockComplete(block.buffer, 0, block.length);
  }

  #blockComplete(buffer: Uint8Array, start: number, end: number): void {
    const { streamId, endStream, selfDependent } = this.block;
    const fields = this.#fields;
    fields.length = 0;
    // Whatever becomes of the stream, the block is decoded: the tables must stay in step (RFC 9113 section 4.3).
    this.#decoder.decode(buffer, start, end, fields);
    this.block.end();
    const { requests } = this;
    const stream = requests.streams.get(streamId);
    if (stream) {
      if (!stream.receiving) throw new StreamError(ErrorCode.STREAM_CLOSED, "Cannot accept HEADERS after END_STREAM");
      // RFC 9113 section 8.1: trailers end the stream.
      if (!endStream) throw new StreamError(ErrorCode.PROTOCOL_ERROR, "Cannot accept trailers without END_STREAM");
      requests.trailersReceived(stream, fields, this.#decoder.overflowed);
      return;
    }
    switch (requests.streams.absence(streamId)) {
      case Absence.IDLE:
        requests.streams.lastId = streamId;
        if (selfDependent) throw selfDependency();
        return requests.requestReceived(streamId, fields, endStream, this.#decoder.overflowed);
      case Absence.RESET:
        return this.conduct.control(this.now());
      case Absence.CLOSED:
        throw new ConnectionError(ErrorCode.STREAM_CLOSED, `Cannot accept HEADERS: stream ${streamId} is closed`);
    }
  }

  /** Priorities are ignored (RFC 9113 section 5.3.2), but for their form. */
  #priority(streamId: number): void {
    if (streamId === 0) throw protocolError("PRIORITY is on stream 0");
    this.conduct.control(this.now());
    if (this.reader.length !== 5) {
      throw new StreamError(ErrorCode.FRAME_SIZE_ERROR, `Cannot accept PRIORITY of ${this.reader.length} bytes`);
    }
    if (this.#dependency(this.reader.start) === streamId) throw selfDependency();
  }

  #dependency(at: number): number {
    return this.#word(at) & 0x7fffffff;
  }

  #word(at: number): number {
    const { buffer } = this.reader;
    return (buffer[at] << 24 | buffer[at + 1] << 16 | buffer[at + 2] << 8 | buffer[at + 3]) >>> 0;
  }

  #rstStream(streamId: number): void {
    const { requests, reader } = this;
    if (streamId === 0) throw protocolError("RST_STREAM is on stream 0");
    if (reader.length !== 4) throw sizeError("RST_STREAM", reader.length);
    const stream = requests.streams.get(streamId);
    if (stream) return requests.resetReceived(stream, this.#word(reader.start));
    if (requests.streams.absence(streamId) === Absence.IDLE) throw protocolError("RST_STREAM is on an idle stream");
    this.conduct.control(this.now());
  }

  #settings(streamId: number): void {
    const { connection, reader } = this;
    if (streamId !== 0) throw protocolError("SETTINGS is on a stream");
    if (reader.flags & Flag.ACK) {
      if (reader.length !== 0) throw sizeError("SETTINGS with ACK", reader.length);
      this.conduct.control(this.now());
      return connection.settingsAcknowledged();
    }
    if (reader.length % SETTING_BYTES !== 0) throw sizeError("SETTINGS", reader.length);
    this.conduct.control(this.now());
    this.#settingsSeen = true;
    connection.settingsReceived(reader.buffer, reader.start, reader.end);
  }

  #ping(streamId: number): void {
    const { connection, reader } = this;
    if (streamId !== 0) throw protocolError("PING is on a stream");
    if (reader.length !== 8) throw sizeError("PING", reader.length);
    const opaque = reader.buffer.subarray(reader.start, reader.end);
    if (reader.flags & Flag.ACK) {
      this.conduct.control(this.now());
      connection.pingAcknowledged(opaque);
    } else {
      this.conduct.ping(this.now());
      connection.pingReceived(opaque);
    }
  }

  #windowUpdate(streamId: number): void {
    const { requests, reader } = this;
    if (reader.length !== 4) throw sizeError("WINDOW_UPDATE", reader.length);
    this.conduct.control(this.now());
    const increment = this.#word(reader.start) & 0x7fffffff;
    if (streamId === 0) {
      if (increment === 0) throw protocolError("WINDOW_UPDATE has an increment of 0");
      return this.connection.windowUpdateReceived(increment);
    }
    const stream = requests.streams.get(streamId);
    if (!stream) {
      if (requests.streams.absence(streamId) === Absence.IDLE) {
        throw protocolError("WINDOW_UPDATE is on an idle stream");
      }
      return;
    }
    if (increment === 0) throw new StreamError(ErrorCode.PROTOCOL_ERROR, "Cannot accept an increment of 0");
    requests.windowUpdateReceived(stream, increment);
  }
}

function protocolError(what: string): ConnectionError {
  return new ConnectionError(ErrorCode.PROTOCOL_ERROR, `Cannot accept a frame: ${what}`);
}

/** RFC 7540 section 5.3.1. RFC 9113 no longer speaks of it, and no client that means well does it. */
function selfDependency(): StreamError {
  return new StreamError(ErrorCode.PROTOCOL_ERROR, "Cannot accept a stream that depends on itself");
}

function sizeError(name: string, bytes: number): ConnectionError {
  return new ConnectionError(ErrorCode.FRAME_SIZE_ERROR, `Cannot accept ${name} of ${bytes} bytes`);
}
