/** Attacks, each named by the limit that ends it. After each, nothing is left running. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import type { Http1Handler, Http1Options } from "../../http1/mod.ts";
import { chunks, echo, open, script, settled, text } from "../http1/fake.ts";

const GET = "GET / HTTP/1.1\r\nhost: x\r\n\r\n";
const CHUNKED = "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n";

function attack(name: string, run: () => Promise<void>): void {
  Deno.test(`attack: ${name}`, run);
}

type Opened = ReturnType<typeof open>;

async function ended({ connection, clock, state }: Opened): Promise<void> {
  await connection.finished;
  const { handlers, bufferedBytes } = connection.stats;
  assertEquals([handlers, bufferedBytes, clock.timers, state.closed], [0, 0, 0, true]);
}

function openSlow(handler: Http1Handler = echo, options: Http1Options = {}): Opened {
  return open(handler, options);
}

attack("slow head (headTimeoutMs)", async () => {
  const opened = openSlow();
  await opened.send("GET / HTTP/1.1\r\n");
  for (let i = 0; i < 11; i++) {
    await opened.send(`a${i}: b\r\n`);
    await opened.clock.advance(1_000);
  }
  assertMatch(await opened.sent(), /^HTTP\/1.1 408 [^]*headTimeoutMs/);
  await opened.clock.advance(3_000);
  await ended(opened);
});

attack("a connection that says nothing (headTimeoutMs)", async () => {
  const opened = openSlow();
  await opened.clock.advance(11_000);
  assertEquals(await opened.received(), "");
  await ended(opened);
});

attack("idle connections (keepAliveTimeoutMs)", async () => {
  const opened = openSlow();
  await opened.send(GET);
  assertMatch(await opened.sent(), /^HTTP\/1.1 200/);
  await opened.clock.advance(74_000);
  assert(!opened.state.closed);
  await opened.clock.advance(2_000);
  await ended(opened);
});

attack("slow body (minBodyBytesPerPeriod)", async () => {
  const opened = openSlow();
  await opened.send("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n");
  for (let i = 0; i < 62; i++) {
    await opened.send("x");
    await opened.clock.advance(1_000);
  }
  assertMatch(await opened.sent(), /^HTTP\/1.1 408 [^]*minBodyBytesPerPeriod/);
  await opened.clock.advance(3_000);
  await ended(opened);
});

attack("a request line without end (maxRequestLineBytes)", async () => {
  assertMatch(await script([`GET /${"a".repeat(8_192)}`, "b"]), /^HTTP\/1.1 414 /);
  assertMatch(await script(`GET /${"a".repeat(8_192)} HTTP/1.1\r\nhost: x\r\n\r\n`), /^HTTP\/1.1 414 /);
});

attack("a huge head (maxHeadBytes)", async () => {
  const field = `a: ${"b".repeat(2_000)}\r\n`;
  assertMatch(await script([`GET / HTTP/1.1\r\nhost: x\r\n`, field.repeat(20)]), /^HTTP\/1.1 431 [^]*32768 bytes/);
  const one = [`GET / HTTP/1.1\r\nhost: x\r\na: `, ...Array<string>(20).fill("b".repeat(2_000))];
  assertMatch(await script(one), /^HTTP\/1.1 431 [^]*32768 bytes/);
});

attack("many headers (maxHeaders)", async () => {
  assertMatch(
    await script(`GET / HTTP/1.1\r\nhost: x\r\n${"a:b\r\n".repeat(128)}\r\n`),
    /^HTTP\/1.1 431 [^]*128 fields/,
  );
});

attack("an extension without end (maxChunkLineBytes)", async () => {
  const parts = [`${CHUNKED}1;a=`, ...Array<string>(10).fill("b".repeat(1_000))];
  assertMatch(await script(parts), /^HTTP\/1.1 400 [^]*4096 bytes/);
  assertMatch(await script(`${CHUNKED}${"0".repeat(5_000)}\r\n\r\n`), /^HTTP\/1.1 400 [^]*4096 bytes/);
});

attack("many chunks that are extensions (maxChunkExtensionBytes)", async () => {
  const chunk = `1;a=${"b".repeat(100)}\r\nx\r\n`;
  assertMatch(await script(`${CHUNKED}${chunk.repeat(200)}0\r\n\r\n`), /^HTTP\/1.1 400 [^]*16384 bytes/);
});

attack("huge trailers (maxTrailerBytes), many trailers (maxTrailers)", async () => {
  assertMatch(await script(`${CHUNKED}0\r\na: ${"b".repeat(9_000)}\r\n\r\n`), /^HTTP\/1.1 431 [^]*8192 bytes/);
  assertMatch(await script(`${CHUNKED}0\r\n${"a:b\r\n".repeat(65)}\r\n`), /^HTTP\/1.1 431 [^]*64 fields/);
});

attack("1-byte chunks cost one copy a read", async () => {
  let yielded = 0;
  let bytes = 0;
  const opened = open(async (request) => {
    for await (const chunk of request.body) {
      yielded++;
      bytes += chunk.length;
    }
    return { status: 200 };
  });
  await opened.send(`${CHUNKED}${"1\r\nx\r\n".repeat(100_000)}0\r\n\r\n`);
  opened.end();
  assertMatch(await opened.received(), /^HTTP\/1.1 200/);
  assertEquals(bytes, 100_000);
  assert(yielded < 30, `${yielded} chunks`);
  await ended(opened);
});

attack("a flood of pipelined requests runs one handler at a time (maxRequests)", async () => {
  let running = 0;
  let most = 0;
  const opened = open(async () => {
    most = Math.max(most, ++running);
    await Promise.resolve();
    running--;
    return text("ok");
  }, { limits: { maxRequests: 500 } });
  await opened.send(GET.repeat(2_000));
  opened.end();
  const answers = await opened.received();
  assertEquals([most, answers.split("HTTP/1.1 200").length - 1], [1, 500]);
  assertMatch(answers, /connection: close\r\n\r\nok$/);
  await ended(opened);
});

attack("a client that never reads (writeStallMs)", async () => {
  let produced = 0;
  let released = false;
  const opened = open(() => ({
    status: 200,
    body: async function* () {
      try {
        for (;;) {
          produced++;
          yield new Uint8Array(65_536);
          await settled(1);
        }
      } finally {
        released = true;
      }
    }(),
  }));
  opened.down.blocked = true;
  await opened.send(GET);
  await settled();
  assert(produced <= 3, `${produced} chunks`);
  await opened.clock.advance(31_000);
  await ended(opened);
  assertEquals([released, opened.errors.length], [true, 0]);
});

attack("an upload to nobody (maxDrainBytes)", async () => {
  const opened = open(() => text("no", 413));
  await opened.send("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 100000000\r\n\r\n");
  assertMatch(await opened.sent(), /^HTTP\/1.1 413 [^]*connection: close/);
  const part = new Uint8Array(1024 * 1024);
  for (let i = 0; i < 6 && !opened.state.closed; i++) {
    await opened.send(part).catch(() => {});
    await settled(2);
  }
  await ended(opened);
  assert(opened.connection.stats.bytesReceived < 5 * 1024 * 1024);
});

attack("a client that never closes (maxDrainMs)", async () => {
  const opened = open(() => text("bye"));
  await opened.send("GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
  assertMatch(await opened.sent(), /bye$/);
  assert(!opened.state.closed);
  await opened.clock.advance(3_000);
  await ended(opened);
});

attack("an unread body that never ends, after an answer that let the connection go on (maxDrainMs)", async () => {
  const opened = open(async (request) => {
    await request.body[Symbol.asyncIterator]().next();
    const pull = request.body[Symbol.asyncIterator]().next();
    pull.catch(() => {});
    return { status: 200, body: chunks("early") };
  });
  await opened.send(`${CHUNKED}1\r\nx\r\n`);
  assertMatch(await opened.sent(), /^HTTP\/1.1 200 (?![^]*connection: close)/);
  await opened.clock.advance(6_000);
  await ended(opened);
});

attack("clients that hang up in the middle of a body, 2,000 times", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  const { serveHttp1Connection } = await import("../../http1/mod.ts");
  const open: ReturnType<typeof serveHttp1Connection>[] = [];
  let failed = 0;
  const accepting = (async () => {
    for await (const conn of listener) {
      open.push(serveHttp1Connection(conn, async (request) => {
        try {
          return await echo(request);
        } catch (error) {
          failed++;
          throw error;
        }
      }));
    }
  })();
  const request = new TextEncoder().encode(`${CHUNKED}5\r\nhel`);
  const client = async () => {
    for (let i = 0; i < 250; i++) {
      const conn = await Deno.connect({ hostname: "127.0.0.1", port });
      await conn.write(request);
      conn.close();
    }
  };
  await Promise.all(Array.from({ length: 8 }, client));
  while (open.length < 2_000) await settled(1);
  await Promise.all(open.map((connection) => connection.finished));
  listener.close();
  await accepting;
  for (const { stats } of open) assertEquals([stats.handlers, stats.bufferedBytes], [0, 0]);
  assert(failed > 1_000, `${failed} handlers saw it`);
});
