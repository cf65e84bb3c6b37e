/** A client that speaks in frames. */
import { assertEquals } from "@std/assert";
import { Flag, FRAME_HEADER_BYTES, FrameType, PREFACE } from "../../http2/frames/constants.ts";
import { writeFrameHeader, writeUint32 } from "../../http2/frames/writer.ts";
import { HpackDecoder } from "../../http2/hpack/decoder.ts";
import { HpackEncoder } from "../../http2/hpack/encoder.ts";
import { concat, EMPTY, utf8 } from "./basics.ts";
import type { Transport } from "./fake.ts";

export interface Frame {
  type: number;
  flags: number;
  streamId: number;
  payload: Uint8Array;
}

export function frameBytes(type: number, flags: number, streamId: number, payload: Uint8Array = EMPTY): Uint8Array {
  const bytes = new Uint8Array(FRAME_HEADER_BYTES + payload.length);
  bytes.set(payload, writeFrameHeader(bytes, 0, payload.length, type, flags, streamId));
  return bytes;
}

export function word(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  writeUint32(bytes, 0, value);
  return bytes;
}

export function readWord(bytes: Uint8Array, at = 0): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(at);
}

export function settingsPayload(settings: readonly (readonly [number, number])[]): Uint8Array {
  return concat(settings.flatMap(([id, value]) => [new Uint8Array([id >> 8, id]), word(value)]));
}

const REQUEST: readonly (readonly [string, string])[] = [
  [":method", "POST"],
  [":scheme", "http"],
  [":path", "/"],
  [":authority", "test"],
];

/** Milliseconds that a test waits for a frame before it fails. */
const PATIENCE_MS = 5_000;

/** A client of frames: it says what it is told to, whether allowed or not, and hands out what arrives. */
export class MockClient {
  readonly encoder = new HpackEncoder(4096, 4096);
  readonly decoder = new HpackDecoder(4096, 1 << 24);
  #received: Uint8Array = EMPTY;

  constructor(readonly transport: Transport) {}

  /** Sends the preface and SETTINGS, and takes the server's. */
  async open(settings: readonly (readonly [number, number])[] = []): Promise<this> {
    await this.raw(concat([PREFACE, frameBytes(FrameType.SETTINGS, 0, 0, settingsPayload(settings))]));
    await this.expect(FrameType.SETTINGS);
    await this.frame(FrameType.SETTINGS, Flag.ACK, 0);
    while (!((await this.expect(FrameType.SETTINGS)).flags & Flag.ACK));
    return this;
  }

  async raw(bytes: Uint8Array): Promise<void> {
    await this.transport.send(bytes);
  }

  frame(type: number, flags: number, streamId: number, payload: Uint8Array = EMPTY): Promise<void> {
    return this.raw(frameBytes(type, flags, streamId, payload));
  }

  /** A header block with our own encoder, which allows what a server refuses. */
  block(fields: readonly (readonly [string, string])[]): Uint8Array {
    this.encoder.begin();
    for (const [name, value] of fields) this.encoder.field(name, value);
    return this.encoder.buffer.slice(0, this.encoder.length);
  }

  headers(streamId: number, fields: readonly (readonly [string, string])[], endStream = false): Promise<void> {
    const flags = Flag.END_HEADERS | (endStream ? Flag.END_STREAM : 0);
    return this.frame(FrameType.HEADERS, flags, streamId, this.block(fields));
  }

  /** HEADERS of a POST to `/`, with more fields; a field of the same name as a pseudo-header field replaces it. */
  request(streamId: number, more: readonly (readonly [string, string])[] = [], endStream = false): Promise<void> {
    const replaced = new Set(more.map(([name]) => name));
    const pseudo = REQUEST.filter(([name]) => !replaced.has(name));
    const fields = [...more.filter(([name]) => name.startsWith(":")), ...pseudo];
    return this.headers(streamId, [...fields, ...more.filter(([name]) => !name.startsWith(":"))], endStream);
  }

  data(streamId: number, payload: Uint8Array | string, endStream = false): Promise<void> {
    const bytes = typeof payload === "string" ? utf8(payload) : payload;
    return this.frame(FrameType.DATA, endStream ? Flag.END_STREAM : 0, streamId, bytes);
  }

  windowUpdate(streamId: number, increment: number): Promise<void> {
    return this.frame(FrameType.WINDOW_UPDATE, 0, streamId, word(increment));
  }

  reset(streamId: number, code: number): Promise<void> {
    return this.frame(FrameType.RST_STREAM, 0, streamId, word(code));
  }

  /** The next frame, or null when the server has closed. */
  async next(): Promise<Frame | null> {
    while (!this.#complete()) {
      const part = await this.#receive();
      if (part === null) return null;
      this.#received = concat([this.#received, part]);
    }
    const bytes = this.#received;
    const length = bytes[0] << 16 | bytes[1] << 8 | bytes[2];
    const end = FRAME_HEADER_BYTES + length;
    this.#received = bytes.subarray(end);
    return { type: bytes[3], flags: bytes[4], streamId: readWord(bytes, 5), payload: bytes.slice(9, end) };
  }

  #complete(): boolean {
    const bytes = this.#received;
    return bytes.length >= FRAME_HEADER_BYTES &&
      bytes.length >= FRAME_HEADER_BYTES + (bytes[0] << 16 | bytes[1] << 8 | bytes[2]);
  }

  async #receive(): Promise<Uint8Array | null> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error("Cannot wait longer for a frame")), PATIENCE_MS);
    });
    try {
      return await Promise.race([this.transport.receive(), late]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** The next frame of `type`, and of `streamId` if given; others are passed over. */
  async expect(type: number, streamId?: number): Promise<Frame> {
    for (;;) {
      const frame = await this.next();
      if (!frame) throw new Error(`Cannot see a frame of type ${type}: the server closed`);
      if (frame.type === FrameType.HEADERS && frame.type !== type) this.fields(frame);
      if (frame.type === type && (streamId === undefined || frame.streamId === streamId)) return frame;
    }
  }

  /** Decodes the fields of a HEADERS frame. */
  fields(frame: Frame): Record<string, string> {
    const flat: string[] = [];
    this.decoder.decode(frame.payload, 0, frame.payload.length, flat);
    const fields: Record<string, string> = {};
    for (let i = 0; i < flat.length; i += 2) fields[flat[i]] = flat[i + 1];
    return fields;
  }

  /** A whole response: its fields, body and trailers. */
  async response(streamId: number) {
    const first = await this.expect(FrameType.HEADERS, streamId);
    const header = this.fields(first);
    const parts: Uint8Array[] = [];
    let trailer: Record<string, string> | undefined;
    let ended = (first.flags & Flag.END_STREAM) !== 0;
    while (!ended) {
      const frame = await this.next();
      if (!frame) throw new Error("Cannot read a response: the server closed");
      if (frame.type === FrameType.HEADERS) {
        const fields = this.fields(frame);
        if (frame.streamId === streamId) trailer = fields;
      }
      if (frame.streamId !== streamId) continue;
      if (frame.type === FrameType.RST_STREAM) throw new Error(`stream reset: ${readWord(frame.payload)}`);
      if (frame.type === FrameType.DATA) parts.push(frame.payload);
      ended = (frame.flags & Flag.END_STREAM) !== 0 && frame.type !== FrameType.WINDOW_UPDATE;
    }
    return { header, body: new TextDecoder().decode(concat(parts)), trailer };
  }

  async expectReset(streamId: number, code: number): Promise<void> {
    const frame = await this.expect(FrameType.RST_STREAM, streamId);
    assertEquals(readWord(frame.payload), code, "code of RST_STREAM");
  }

  /** The GOAWAY that ends the connection, and then its end. */
  async expectGoaway(code: number, debug?: string): Promise<void> {
    const frame = await this.expect(FrameType.GOAWAY);
    assertEquals(
      readWord(frame.payload, 4),
      code,
      `code of GOAWAY ("${new TextDecoder().decode(frame.payload.slice(8))}")`,
    );
    if (debug !== undefined) {
      const text = new TextDecoder().decode(frame.payload.subarray(8));
      assertEquals(text.includes(debug), true, `debug data of GOAWAY: "${text}"`);
    }
    while (await this.next());
  }

  close(): void {
    this.transport.close();
  }
}
