/** Scripts of bytes sent and expected. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { bytesOf, chunks, echo, open, script, settled, text } from "./fake.ts";

const GET = "GET /a?b HTTP/1.1\r\nHost: x\r\n\r\n";
const head = (line: string, ...fields: string[]) => [line, "host: x", ...fields, "", ""].join("\r\n");
const DATE = "date: Tue, 14 Nov 2023 22:13:21 GMT\r\n";

Deno.test("serveHttp1Connection() answers pipelined requests in order", async () => {
  const answers = await script(GET + head("POST /b HTTP/1.1", "content-length: 2") + "hi" + GET);
  const bodies = answers.split("HTTP/1.1 200 OK").slice(1).map((answer) => answer.split("\r\n\r\n")[1]);
  assertEquals(bodies, ["GET http://x/a?b []", "POST http://x/b [hi]", "GET http://x/a?b []"]);
});

Deno.test("serveHttp1Connection() sends a small response of known size in one write", async () => {
  const { send, sent, end, state, connection } = open(() => text("ok"));
  await send(GET);
  assertEquals(await sent(), `HTTP/1.1 200 OK\r\n${DATE}content-length: 2\r\n\r\nok`);
  assertEquals(state.writes.length, 1);
  end();
  await connection.finished;
  assert(state.closed);
});

Deno.test("serveHttp1Connection() sends a body that takes longer in chunks, the head at once", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const { send, sent, end, connection } = open(() => ({
    status: 200,
    body: async function* () {
      await promise;
      yield bytesOf("later");
    }(),
  }));
  await send(GET);
  assertEquals(await sent(), `HTTP/1.1 200 OK\r\n${DATE}transfer-encoding: chunked\r\n\r\n`);
  resolve();
  assertEquals(await sent(), "5\r\nlater\r\n0\r\n\r\n");
  end();
  await connection.finished;
});

Deno.test("serveHttp1Connection() takes the forms of a target, and refuses CONNECT", async () => {
  assertStringIncludes(await script(head("GET http://other:1/p?q HTTP/1.1")), "GET http://other:1/p?q []");
  assertStringIncludes(await script(head("GET http://other HTTP/1.1")), "GET http://other/ []");
  assertStringIncludes(await script(head("OPTIONS * HTTP/1.1")), "OPTIONS http://x/* []");
  assertMatch(await script(head("CONNECT x:1 HTTP/1.1")), /^HTTP\/1.1 501 /);
  for (const target of ["x:1", "*", "ftp://x/", "http://u@x/", "/a#b", "/a\x7f", "http:///p"]) {
    assertMatch(await script(head(`GET ${target} HTTP/1.1`)), /^HTTP\/1.1 400 [^]*connection: close/, target);
  }
});

Deno.test("the host of an absolute target takes the place of the host field", async () => {
  const answer = await script(head("GET http://other/ HTTP/1.1"), (request) => text(request.header.get("host") ?? ""));
  assertStringIncludes(answer, "\r\n\r\nother");
});

Deno.test("serveHttp1Connection() knows versions", async () => {
  assertMatch(await script(head("GET / HTTP/2.0")), /^HTTP\/1.1 505 /);
  assertMatch(await script(head("GET / HTTP/1.2")), /^HTTP\/1.1 505 /);
  for (const version of ["HTTP/11", "http/1.1", "HTTP/1.1 ", "HTTP/x.y", "", "HTTP/1,1"]) {
    assertMatch(await script(head(`GET / ${version}`)), /^HTTP\/1.1 400 /, version);
  }
  assertMatch(await script("GET /\r\n\r\n"), /^HTTP\/1.1 400 /);
});

Deno.test("HTTP/1.0 is answered without chunks, and ends with the answer unless asked to go on", async () => {
  const streamed = () => ({ status: 200, body: chunks("a", new Uint8Array(20_000)) });
  const answer = await script("GET / HTTP/1.0\r\n\r\nGET / HTTP/1.0\r\n\r\n", streamed);
  assert(!answer.includes("chunked"));
  assertEquals(answer.length - answer.indexOf("\r\n\r\n") - 4, 20_001);
  const kept = await script("GET /1 HTTP/1.0\r\nconnection: keep-alive\r\n\r\nGET /2 HTTP/1.0\r\n\r\n");
  assertMatch(kept, /connection: keep-alive[^]*\/1 \[\][^]*connection: close[^]*\/2 \[\]$/);
  assertMatch(await script("POST / HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"), /^HTTP\/1.1 400 /);
});

Deno.test("`connection: close` is honoured, of the client and of the handler", async () => {
  const closed = await script(head("GET / HTTP/1.1", "Connection: foo, Close") + GET);
  assertEquals(closed.split("HTTP/1.1 200").length, 2);
  assertStringIncludes(closed, "connection: close\r\n");
  const handler = () => ({ status: 200, header: new Headers({ connection: "close" }) });
  assertEquals((await script(GET + GET, handler)).split("HTTP/1.1 200").length, 2);
});

Deno.test("HEAD, 204 and 304 have no body", async () => {
  const response = (status: number) => () => text("body", status, new Headers({ "content-length": "4" }));
  assertMatch(await script(head("HEAD / HTTP/1.1"), response(200)), /content-length: 4\r\n\r\n$/);
  assertMatch(await script(GET, response(304)), /304 Not Modified[^]*content-length: 4\r\n\r\n$/);
  const none = await script(GET, response(204));
  assert(!none.includes("content-length") && none.endsWith("\r\n\r\n"));
});

Deno.test("`expect: 100-continue` is answered when the body is pulled, and not if it never is", async () => {
  const { send, sent, end, connection } = open(echo);
  await send(head("POST / HTTP/1.1", "Expect: 100-Continue", "content-length: 2"));
  assertEquals(await sent(), "HTTP/1.1 100 Continue\r\n\r\n");
  await send("hi");
  assertStringIncludes(await sent(), "POST http://x/ [hi]");
  end();
  await connection.finished;
  const refused = await script(
    head("POST / HTTP/1.1", "expect: 100-continue", "content-length: 2"),
    () => text("no", 413),
  );
  assertMatch(refused, /^HTTP\/1.1 413 [^]*connection: close/);
  assertMatch(await script(head("POST / HTTP/1.1", "expect: something")), /^HTTP\/1.1 417 /);
});

Deno.test("trailers of a chunked body reach the handler", async () => {
  const request = head("POST / HTTP/1.1", "transfer-encoding: Chunked") +
    '2;x="y"\r\nab\r\n0\r\nSum: 1\r\nsum: 2\r\n\r\n' + GET;
  const answer = await script(request, async (request) => {
    for await (const _ of request.body);
    return text(`sum ${request.trailer.get("sum")}`);
  });
  assertStringIncludes(answer, "sum 1, 2");
  assertStringIncludes(answer, "sum null");
});

Deno.test("trailers of a response are sent to who accepts them", async () => {
  const handler = () => ({ status: 200, body: chunks("a"), trailer: new Headers({ sum: "1", "content-length": "9" }) });
  assertMatch(await script(head("GET / HTTP/1.1", "TE: trailers;q=1"), handler), /1\r\na\r\n0\r\nsum: 1\r\n\r\n$/);
  assertMatch(await script(GET, handler), /content-length: 1\r\n\r\na$/);
});

Deno.test("a response that is not what its content-length says is cut", async () => {
  for (const content of ["a", "abc"]) {
    const { send, received, errors, connection, state } = open(() => ({
      status: 200,
      header: new Headers({ "content-length": "2" }),
      body: chunks(content),
    }));
    await send(GET);
    assert(!(await received()).endsWith("abc"));
    await connection.finished;
    assertEquals([errors.length, state.closed], [1, true]);
  }
});

Deno.test("a response body that throws midway never ends cleanly", async () => {
  const { send, received, errors, connection } = open(() => ({
    status: 200,
    body: async function* () {
      yield bytesOf("part");
      await settled();
      throw new Error("disk");
    }(),
  }));
  await send(GET);
  assert(!(await received()).includes("0\r\n\r\n"));
  await connection.finished;
  assertEquals(errors.map(String), ["Error: disk"]);
});

Deno.test("a handler that fails is answered 500, and its error kept", async () => {
  const { send, end, received, errors, connection } = open(() => Promise.reject(new Error("secret")));
  await send(GET);
  await settled();
  end();
  const answer = await received();
  assertMatch(answer, /^HTTP\/1.1 500 [^]*connection: close[^]*internal error\n$/);
  assert(!answer.includes("secret"));
  await connection.finished;
  assertEquals(errors.length, 1);
});

Deno.test("a value that would become a field of its own is refused", async () => {
  const header = { forEach: (each: (value: string, name: string) => void) => each("a\r\nevil: 1", "x") };
  const { send, end, received, errors, connection } = open(() => ({
    status: 200,
    header: header as unknown as Headers,
  }));
  await send(GET);
  await settled();
  end();
  assertMatch(await received(), /^HTTP\/1.1 500 (?![^]*evil)/);
  await connection.finished;
  assertEquals(errors.length, 1);
});

Deno.test("the handler's date is kept, and what frames a message is not its affair", async () => {
  const header = new Headers({
    date: "then",
    "transfer-encoding": "gzip",
    upgrade: "x",
    connection: "upgrade",
    a: "\xe4",
  });
  const answer = await script(GET, () => ({ status: 200, header }));
  assertEquals(answer, "HTTP/1.1 200 OK\r\na: \xe4\r\ndate: then\r\ncontent-length: 0\r\n\r\n");
});
