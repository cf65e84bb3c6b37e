/** How bodies, signals and shutdown behave over a connection in memory. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import type { Http1Handler, Http1Response, HttpHandler } from "../../http1/mod.ts";
import { createMemoryBudget } from "../../http2/budget.ts";
import type { Http2Handler } from "../../http2/types.ts";
import { bytesOf, chunks, echo, open, script, settled, text, textOf } from "./fake.ts";

const GET = "GET /a?b HTTP/1.1\r\nHost: x\r\n\r\n";
const head = (line: string, ...fields: string[]) => [line, "host: x", ...fields, "", ""].join("\r\n");

Deno.test("nothing is read beyond a buffer while the handler does not pull", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const { send, end, connection, received, state } = open(async (request) => {
    await promise;
    return await echo(request);
  }, { limits: { readBufferBytes: 8_192 } });
  await send(head("POST / HTTP/1.1", "content-length: 100000"));
  const part = "x".repeat(10_000);
  for (let i = 0; i < 10; i++) await send(part);
  await settled();
  assert(connection.stats.bufferedBytes <= 8_192);
  assert(state.reads <= 3);
  resolve();
  end();
  assertEquals((await received()).split("x").length, 1 + 100_000 + 1);
  await connection.finished;
  assertEquals(connection.stats.bufferedBytes, 0);
});

Deno.test("chunks of one read are handed out as one, and stay valid", async () => {
  const kept: Uint8Array[] = [];
  const body = Array.from({ length: 200 }, (_, i) => `3\r\n${String(i).padStart(3, "0")}\r\n`);
  const all = Array.from({ length: 200 }, (_, i) => String(i).padStart(3, "0")).join("");
  await script([
    head("POST / HTTP/1.1", "transfer-encoding: chunked"),
    ...body.slice(0, 20),
    body.slice(20).join("") + "0\r\n\r\n",
  ], async (request) => {
    for await (const chunk of request.body) kept.push(chunk);
    return { status: 200 };
  });
  assert(kept.length <= 21, `${kept.length} chunks`);
  assertEquals(kept.map(textOf).join(""), all);
});

Deno.test("a body that ends early throws, and aborts the signal", async () => {
  for (const framing of ["content-length: 9", "transfer-encoding: chunked"]) {
    let seen: unknown;
    let aborted = false;
    const answer = await script(`${head("POST / HTTP/1.1", framing)}4\r\nabcd\r`, async (request) => {
      try {
        for await (const _ of request.body);
      } catch (error) {
        seen = error;
        aborted = request.signal.aborted;
        throw error;
      }
      return { status: 200 };
    });
    assertMatch(answer, /^HTTP\/1.1 400 /);
    assertEquals([(seen as Error).name, aborted], ["Http1RequestAborted", true]);
  }
});

Deno.test("the signal aborts when the client leaves while the handler runs", async () => {
  const { send, end, connection, errors } = open((request) =>
    new Promise<Http1Response>((_, reject) =>
      request.signal.addEventListener("abort", () => reject(request.signal.reason))
    )
  );
  await send(GET);
  await settled();
  assertEquals(connection.stats.handlers, 1);
  end();
  await connection.finished;
  assertEquals([connection.stats.handlers, errors.length], [0, 0]);
});

Deno.test("shutdown() lets the request in flight finish and takes no other", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const { send, received, end, connection } = open(async () => {
    await promise;
    return text("done");
  });
  await send(GET + GET);
  await settled();
  connection.shutdown();
  resolve();
  const answer = received();
  await settled();
  end();
  assertMatch(await answer, /connection: close\r\n\r\ndone$/);
  await connection.finished;
  assertEquals(connection.stats.requests, 1);
});

Deno.test("shutdown() closes an idle connection at once", async () => {
  const { send, sent, connection, clock } = open(() => text("ok"));
  await send(GET);
  await sent();
  connection.shutdown();
  await connection.finished;
  assertEquals(clock.timers, 0);
});

Deno.test("inform() sends interim responses", async () => {
  const answer = await script(GET, (request) => {
    request.inform(103, new Headers({ link: "</a>" }));
    return text("ok");
  });
  assertMatch(answer, /^HTTP\/1.1 103 Early Hints\r\nlink: <\/a>\r\n\r\nHTTP\/1.1 200 OK/);
});

Deno.test("a body that the handler leaves is dropped, and the connection ends after the answer", async () => {
  const { send, sent, end, connection, received } = open(() => text("no", 403));
  await send(head("POST / HTTP/1.1", "content-length: 100000") + "x".repeat(1000));
  assertMatch(await sent(), /^HTTP\/1.1 403 [^]*connection: close\r\n\r\nno$/);
  await send("x".repeat(99_000));
  end();
  assertEquals(await received(), "");
  await connection.finished;
  assertEquals(connection.stats.bytesReceived > 100_000, true);
});

Deno.test("initialBytes come first", async () => {
  const { send, sent, end, connection } = open(echo, { initialBytes: bytesOf("GET /a HT"), scheme: "https" });
  await send("TP/1.1\r\nhost: x\r\n\r\n");
  assertStringIncludes(await sent(), "GET https://x/a []");
  end();
  await connection.finished;
});

Deno.test("a body that the handler has left is dropped while a long response is sent", async () => {
  const { send, end, connection, received, down } = open(async (request) => {
    for await (const _ of request.body) break;
    return { status: 200, body: chunks(new Uint8Array(200_000)) };
  });
  down.blocked = true;
  await send(head("POST / HTTP/1.1", "content-length: 1000000"));
  for (let i = 0; i < 20; i++) await send("x".repeat(50_000));
  await settled(20);
  assert(connection.stats.bytesReceived > 1_000_000);
  down.unblock();
  end();
  assertMatch(await received(), /connection: close[^]*0\r\n\r\n$/);
  await connection.finished;
});

Deno.test("what is read ahead is counted in the budget, and nothing is without room in it", async () => {
  for (const limit of [0, 1_000_000]) {
    const budget = createMemoryBudget(limit);
    const { promise, resolve } = Promise.withResolvers<void>();
    const { send, end, connection, received } = open(async (request) => {
      await promise;
      return await echo(request);
    }, { budget });
    await send(head("POST / HTTP/1.1", "content-length: 10"));
    await send("hello");
    await settled();
    assertEquals([connection.stats.bufferedBytes, budget.used > 0], limit === 0 ? [0, false] : [5, true]);
    resolve();
    await send("world");
    await settled();
    end();
    assertStringIncludes(await received(), "[helloworld]");
    await connection.finished;
    assertEquals(budget.used, 0);
  }
});

Deno.test("one handler serves HTTP/1.1 and HTTP/2", () => {
  const shared: HttpHandler = (request) => text(`${request.httpVersion} ${request.header.get("host")}`);
  const handlers: [Http1Handler, Http2Handler] = [shared, shared];
  assertEquals(handlers.length, 2);
});

Deno.test("a request can be spread", async () => {
  const answer = await script(GET, (request) => text({ ...request, url: "" }.header.get("host") ?? "lost"));
  assertMatch(answer, /\r\n\r\nx$/);
});
