/**
 * Calls over HTTP/2 frame by frame: streams can be left open and reset, and nothing but the server keeps a deadline.
 *
 * @module
 */
import { Flag, FrameType } from "../../http2/frames/constants.ts";
import { ErrorCode } from "../../http2/mod.ts";
import { MockClient } from "../http2/client.ts";
import { socketTransport } from "../http2/fake.ts";

/** What a frame may have at first (RFC 9113, section 4.2). */
const FRAME_BYTES = 16_384;

/** A connection with calls on it. */
export class RawCalls implements Disposable {
  readonly #client: MockClient;
  readonly #authority: string;
  #lastStream = -1;

  private constructor(client: MockClient, authority: string) {
    this.#client = client;
    this.#authority = authority;
  }

  /** Connects without TLS, with prior knowledge. */
  static async open(url: string): Promise<RawCalls> {
    const { hostname, port, host } = new URL(url);
    const conn = await Deno.connect({ hostname, port: Number(port) });
    return new RawCalls(await new MockClient(socketTransport(conn)).open(), host);
  }

  /** Begins a call and returns its stream; the body stays open. */
  async begin(
    path: string,
    contentType: string,
    body: Uint8Array,
    more: readonly (readonly [string, string])[] = [],
  ): Promise<number> {
    const stream = this.#lastStream += 2;
    await this.#client.request(stream, [
      [":path", path],
      [":authority", this.#authority],
      ["content-type", contentType],
      ["te", "trailers"],
      ...more,
    ]);
    await this.send(stream, body);
    return stream;
  }

  /** Sends more of a call's body; the caller keeps within the windows that a connection begins with. */
  async send(stream: number, body: Uint8Array): Promise<void> {
    for (let at = 0; at < body.length; at += FRAME_BYTES) {
      await this.#client.data(stream, body.subarray(at, at + FRAME_BYTES));
    }
  }

  /** Ends a call's body. */
  async end(stream: number): Promise<void> {
    await this.#client.data(stream, new Uint8Array(0), true);
  }

  /** What a client does when its caller cancels. */
  async cancel(stream: number): Promise<void> {
    await this.#client.reset(stream, ErrorCode.CANCEL);
  }

  /** The fields in which a native gRPC call ends: its trailers, or its headers if there is nothing else. */
  async outcome(stream: number): Promise<Record<string, string>> {
    for (;;) {
      const frame = await this.#client.expect(FrameType.HEADERS);
      const fields = this.#client.fields(frame);
      if (frame.streamId === stream && frame.flags & Flag.END_STREAM) return fields;
    }
  }

  /** A whole call without a stream, in Connect's JSON; it comes back when the server has had a turn. */
  async ask(path: string): Promise<void> {
    const stream = await this.begin(path, "application/json", new TextEncoder().encode("{}"));
    await this.end(stream);
    const frame = await this.#client.expect(FrameType.HEADERS, stream);
    const status = this.#client.fields(frame)[":status"];
    if (status !== "200") throw new Error(`${path} answered ${status}`);
  }

  [Symbol.dispose](): void {
    this.#client.close();
  }
}
