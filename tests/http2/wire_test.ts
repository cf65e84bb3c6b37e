import { assert, assertEquals, assertInstanceOf, assertRejects, assertStringIncludes } from "@std/assert";
import { Flag, FrameType } from "../../http2/frames/constants.ts";
import { ErrorCode, RequestAborted } from "../../http2/mod.ts";
import { Bench, bytesOf, concat, echo, EMPTY, frameBytes, settled, textBody, utf8, word } from "./support.ts";

Deno.test("serveConnection() answers a request with headers, body and trailers in one write", async () => {
  await using bench = new Bench(async (request) => {
    const text = new TextDecoder().decode(await bytesOf(request.body));
    const trailer = new Headers();
    return {
      status: 200,
      header: new Headers({ "x-method": request.method, "x-url": request.url }),
      body: (async function* () {
        yield utf8(`got ${text}`);
        // Only what is set before the body ends can be sent.
        trailer.set("grpc-status", "0");
      })(),
      trailer,
    };
  });
  const { client, state } = bench.connect();
  await client.open();
  const before = state.writes;
  await client.request(1, [[":path", "/a?b=1"]]);
  await client.data(1, "hel");
  await client.data(1, "lo", true);
  const { header, body, trailer } = await client.response(1);
  assertEquals([header[":status"], header["x-method"], header["x-url"]], ["200", "POST", "http://test/a?b=1"]);
  assertStringIncludes(header.date, "GMT");
  assertEquals(body, "got hello");
  assertEquals(trailer, { "grpc-status": "0" });
  assertEquals(state.writes - before, 1);
});

Deno.test("serveConnection() hands on all data of one read as one chunk", async () => {
  const sizes: number[] = [];
  await using bench = new Bench(async (request) => {
    for await (const chunk of request.body) sizes.push(chunk.length);
    return { status: 204 };
  });
  const { client } = bench.connect();
  await client.open();
  const block = client.block([[":method", "POST"], [":scheme", "http"], [":path", "/"], [":authority", "test"]]);
  const parts = [frameBytes(FrameType.HEADERS, Flag.END_HEADERS, 1, block)];
  for (let i = 0; i < 10; i++) {
    parts.push(frameBytes(FrameType.DATA, i === 9 ? Flag.END_STREAM : 0, 1, utf8("0123456789")));
  }
  await client.raw(concat(parts));
  assertEquals((await client.response(1)).header[":status"], "204");
  assertEquals(sizes, [100]);
});

Deno.test("serveConnection() reads padding, priority and CONTINUATION", async () => {
  await using bench = new Bench(echo);
  const client = await bench.open();
  const block = client.block([
    [":method", "POST"],
    [":scheme", "http"],
    [":path", "/"],
    [":authority", "t"],
    ["x", "y".repeat(40)],
  ]);
  const padded = concat([new Uint8Array([3]), word(0), new Uint8Array([16]), block.subarray(0, 5), new Uint8Array(3)]);
  await client.frame(FrameType.HEADERS, Flag.PADDED | Flag.PRIORITY, 1, padded);
  await client.frame(FrameType.CONTINUATION, 0, 1, EMPTY);
  await client.frame(FrameType.CONTINUATION, Flag.END_HEADERS, 1, block.subarray(5));
  await client.frame(FrameType.PRIORITY, 0, 9, concat([word(0), new Uint8Array([1])]));
  await client.frame(0xfa, 0, 1, utf8("unknown"));
  await client.frame(FrameType.DATA, Flag.PADDED, 1, concat([new Uint8Array([2]), utf8("ab"), new Uint8Array(2)]));
  await client.frame(
    FrameType.DATA,
    Flag.PADDED | Flag.END_STREAM,
    1,
    concat([new Uint8Array([1]), utf8("c"), EMPTY, new Uint8Array(1)]),
  );
  assertEquals((await client.response(1)).body, "abc");
});

Deno.test("request.trailer holds the client's trailers when the body has ended", async () => {
  await using bench = new Bench(async (request) => {
    await bytesOf(request.body);
    return { status: 200, body: textBody(request.trailer.get("x-sum") ?? "none") };
  });
  const client = await bench.open();
  await client.request(1);
  await client.data(1, "abc");
  await client.headers(1, [["x-sum", "99"]], true);
  assertEquals((await client.response(1)).body, "99");
});

Deno.test("the answer to HEAD, 204 and 304 has no body, and its body is told", async () => {
  let returned = 0;
  await using bench = new Bench((request) => ({
    status: Number(request.header.get("x-status")),
    header: new Headers({ "content-length": "5" }),
    body: {
      [Symbol.asyncIterator]: () => ({
        next: () => Promise.reject(new Error("read")),
        return: () => Promise.resolve({ done: true as const, value: ++returned }),
      }),
    },
  }));
  const client = await bench.open();
  for (const [i, [method, status]] of [["HEAD", "200"], ["GET", "204"], ["GET", "304"]].entries()) {
    await client.request(2 * i + 1, [[":method", method], ["x-status", status]], true);
    const { header, body } = await client.response(2 * i + 1);
    assertEquals([header[":status"], body], [status, ""]);
  }
  assertEquals(returned, 3);
});

Deno.test("request.inform() sends interim responses, and 100 is sent when the body is wanted", async () => {
  await using bench = new Bench(async (request) => {
    request.inform(103, new Headers({ link: "</a>" }));
    return { status: 200, body: textBody(new TextDecoder().decode(await bytesOf(request.body))) };
  });
  const client = await bench.open();
  await client.request(1, [["expect", "100-continue"]]);
  assertEquals(client.fields(await client.expect(FrameType.HEADERS, 1)), { ":status": "103", link: "</a>" });
  assertEquals(client.fields(await client.expect(FrameType.HEADERS, 1)), { ":status": "100" });
  await client.data(1, "go", true);
  assertEquals((await client.response(1)).body, "go");
});

Deno.test("request.body throws and signal aborts when the client resets the stream", async () => {
  const seen: unknown[] = [];
  let signal: AbortSignal | undefined;
  await using bench = new Bench(async (request) => {
    signal = request.signal;
    await bytesOf(request.body).catch((error) => seen.push(error));
    return { status: 200 };
  });
  const client = await bench.open();
  await client.request(1);
  await client.data(1, "abc");
  await client.reset(1, ErrorCode.CANCEL);
  await settled();
  assertInstanceOf(seen[0], RequestAborted);
  assertEquals([seen[0].by, seen[0].code], ["client", ErrorCode.CANCEL]);
  assert(signal?.aborted);
  assertEquals(signal.reason, seen[0]);
  assertEquals([bench.server.stats.streams, bench.server.stats.handlers], [0, 0]);
});

Deno.test("request.body throws when the connection ends before END_STREAM", async () => {
  const seen: unknown[] = [];
  await using bench = new Bench(async (request) => {
    await bytesOf(request.body).catch((error) => seen.push(error));
    return { status: 200 };
  });
  const client = await bench.open();
  await client.request(1);
  await client.data(1, "abc");
  client.close();
  await settled();
  assertInstanceOf(seen[0], RequestAborted);
  assertEquals(seen[0].by, "connection");
});

Deno.test("an answer before the end of the body is followed by RST_STREAM(NO_ERROR), and the connection lives", async () => {
  let body: AsyncIterable<Uint8Array> | undefined;
  await using bench = new Bench((request) => {
    body = request.body;
    return request.url.endsWith("/early") ? { status: 403, body: textBody("no") } : echo(request);
  });
  const client = await bench.open();
  await client.request(1, [[":path", "/early"]]);
  assertEquals((await client.response(1)).body, "no");
  await client.expectReset(1, ErrorCode.NO_ERROR);
  await assertRejects(() => bytesOf(body!), RequestAborted);
  // What was under way is no fault, and the connection's window gets it back.
  for (let i = 0; i < 200; i++) await client.data(1, new Uint8Array(16_384));
  await client.request(3);
  await client.data(3, "later", true);
  assertEquals((await client.response(3)).body, "later");
  assertEquals(bench.server.stats.bufferedBytes, 0);
});

Deno.test("a handler that throws is 500 to the client and reported whole", async () => {
  const reported: unknown[] = [];
  await using bench = new Bench((request) => {
    if (request.url.endsWith("/status")) return { status: 99 };
    if (request.url.endsWith("/body")) {
      return {
        status: 200,
        body: (async function* () {
          yield utf8("a");
          await settled(1);
          throw new Error("late");
        })(),
      };
    }
    throw new Error("secret");
  }, { onError: (error) => reported.push((error as Error).message) });
  const client = await bench.open();
  await client.request(1, [], true);
  const { header, body } = await client.response(1);
  assertEquals([header[":status"], body], ["500", ""]);
  await client.request(3, [[":path", "/status"]], true);
  assertEquals((await client.response(3)).header[":status"], "500");
  await client.request(5, [[":path", "/body"]], true);
  await client.expectReset(5, ErrorCode.INTERNAL_ERROR);
  assertEquals(reported, ["secret", "Cannot send a response: its status is 99", "late"]);
});

Deno.test("GOAWAY from the client lets requests in flight finish, and then closes", async () => {
  await using bench = new Bench(echo);
  const client = await bench.open();
  await client.request(1);
  await client.frame(FrameType.GOAWAY, 0, 0, concat([word(0), word(0)]));
  await client.data(1, "still", true);
  assertEquals((await client.response(1)).body, "still");
  while (await client.next());
});

Deno.test("large response headers go out as CONTINUATION, and each set-cookie as a field", async () => {
  const header = new Headers({ "x-large": "v".repeat(40_000) });
  header.append("set-cookie", "a=1");
  header.append("set-cookie", "b=2");
  header.append("connection", "close");
  await using bench = new Bench(() => ({ status: 200, header }));
  const client = await bench.open();
  await client.request(1, [], true);
  const frames = [await client.expect(FrameType.HEADERS, 1)];
  while (!(frames[frames.length - 1].flags & Flag.END_HEADERS)) {
    frames.push(await client.expect(FrameType.CONTINUATION));
  }
  assert(frames.length > 1 && frames.every((frame) => frame.payload.length <= 16_384));
  const block = concat(frames.map((frame) => frame.payload));
  const fields: string[] = [];
  client.decoder.decode(block, 0, block.length, fields);
  assertEquals(fields.filter((_, i) => fields[i - (i % 2)] === "set-cookie").join(), "set-cookie,a=1,set-cookie,b=2");
  assert(!fields.includes("connection"));
});

Deno.test("a response without a body may have trailers", async () => {
  await using bench = new Bench(() => ({ status: 200, trailer: new Headers({ "grpc-status": "12" }) }));
  const client = await bench.open();
  await client.request(1, [], true);
  const { header, body, trailer } = await client.response(1);
  assertEquals([header[":status"], body, trailer], ["200", "", { "grpc-status": "12" }]);
});

Deno.test("content-length that does not match the body is PROTOCOL_ERROR", async () => {
  await using bench = new Bench(echo);
  const client = await bench.open();
  await client.request(1, [["content-length", "3"]]);
  await client.data(1, "four");
  await client.expectReset(1, ErrorCode.PROTOCOL_ERROR);
  await client.request(3, [["content-length", "3"]]);
  await client.data(3, "2.", true);
  await client.expectReset(3, ErrorCode.PROTOCOL_ERROR);
  await client.request(5, [["content-length", "3"]]);
  await client.data(5, "333");
  await client.headers(5, [["x", "trailer"]], true);
  assertEquals((await client.response(5)).body, "333");
});

Deno.test("CONNECT is answered 501", async () => {
  await using bench = new Bench(echo);
  const client = await bench.open();
  await client.headers(1, [[":method", "CONNECT"], [":authority", "other:443"]]);
  assertEquals((await client.response(1)).header[":status"], "501");
});

Deno.test("a body iterator is told when the client has gone", async () => {
  let returned = false;
  await using bench = new Bench(() => ({
    status: 200,
    body: (async function* () {
      try {
        for (;;) yield new Uint8Array(50_000);
      } finally {
        returned = true;
        await settled(1);
      }
    })(),
  }));
  const client = await bench.open();
  await client.request(1, [], true);
  await client.expect(FrameType.DATA);
  await client.reset(1, ErrorCode.CANCEL);
  await settled();
  assert(returned);
  assertEquals(bench.server.stats.handlers, 0);
});
