/** What the tests of http2/ share: a server in memory on a fake clock, and the parts that it is made of. */
import { assertEquals } from "@std/assert";
import { createHttp2Server, type Http2Handler, type Http2Options, type Http2Server } from "../../http2/mod.ts";
import { concat, settled, utf8 } from "./basics.ts";
import { MockClient } from "./client.ts";
import { FakeClock, memoryConnection } from "./fake.ts";

export * from "./basics.ts";
export * from "./client.ts";
export * from "./fake.ts";

/** A server in memory on a fake clock, and clients of it. */
export class Bench implements AsyncDisposable {
  readonly clock = new FakeClock();
  readonly server: Http2Server;
  readonly #clients: MockClient[] = [];
  readonly #served: Promise<void>[] = [];

  constructor(handler: Http2Handler, options: Http2Options = {}) {
    this.server = createHttp2Server(handler, { clock: this.clock, random: () => 0.5, ...options });
  }

  /** A connection that has said nothing yet. */
  connect() {
    const connection = memoryConnection();
    const client = new MockClient(connection.transport);
    this.#clients.push(client);
    this.#served.push(this.server.serveConnection(connection.socket));
    return { ...connection, client };
  }

  async open(settings?: readonly (readonly [number, number])[]): Promise<MockClient> {
    return await this.connect().client.open(settings);
  }

  /** Hangs up on all clients' side. */
  closeClients(): void {
    for (const client of this.#clients) client.close();
  }

  /** Nothing may be left of any connection: streams, handlers, buffered bytes, timers. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.closeClients();
    await Promise.all(this.#served);
    await settled();
    await this.server.shutdown();
    const { connections, streams, bufferedBytes } = this.server.stats;
    assertEquals({ connections, streams, bufferedBytes }, { connections: 0, streams: 0, bufferedBytes: 0 });
    assertEquals(this.clock.timers, 0, "timers left");
  }
}

/** Reads a whole body. */
export async function bytesOf(body: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const part of body) parts.push(part);
  return concat(parts);
}

/** A body of one piece of text. */
export async function* textBody(text: string): AsyncGenerator<Uint8Array> {
  yield utf8(text);
}

/** Answers 200 with the request's body. */
export const echo: Http2Handler = async (request) => {
  const body = await bytesOf(request.body);
  return {
    status: 200,
    body: (async function* () {
      yield body;
    })(),
  };
};
