import { assertEquals, assertStringIncludes } from "@std/assert";
import { Code, ConnectError, createContextKey, createContextValues } from "@connectrpc/connect";
import { invalidArgument } from "../../../errors.ts";
import { MAX_MESSAGE_BYTES, MIB } from "../../../limits.ts";
import { gzipBomb } from "../../support/bomb.ts";
import { concat, envelope } from "../../support/wire.ts";
import {
  BINARY,
  bodyOf,
  type CallInit,
  callOf,
  counting,
  ingestHandler,
  JSON_TYPES,
  meaning,
  METHOD,
  options,
  points,
  protocolOf,
  requestOf,
  type Serve,
} from "./calls.ts";
import { bytesOf, counted, settle, TestBody } from "./support.ts";

async function assertRefused(code: Code, init: CallInit, serve = counting): Promise<ConnectError> {
  const [sources, error] = meaning(await callOf(ingestHandler(serve), init), init.contentType!);
  assertEquals([sources, error && Code[error.code]], [undefined, Code[code]], error?.message);
  return error!;
}

// ---- bad bodies ----

for (const contentType of [...BINARY, ...JSON_TYPES]) {
  const name = `createIngestHandler() of ${contentType}`;
  const gzip = { [protocolOf(contentType) === "connect" ? "connect-content-encoding" : "grpc-encoding"]: "gzip" };

  Deno.test(`${name} hands on what came before a bad message`, async () => {
    const seen: string[] = [];
    const serve: Serve = async (points) => {
      for await (const { source } of points) seen.push(source);
      return {};
    };
    const whole = points(contentType, "a", "b");
    const bad: [part: Uint8Array, code: Code][] = [
      [envelope(Uint8Array.of(0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f)), Code.InvalidArgument],
      [envelope(bytesOf('{"source":7}')), Code.InvalidArgument],
      [envelope(Uint8Array.of(1, 2, 3), 1), Code.InvalidArgument],
      [envelope(new Uint8Array(1), 0, MAX_MESSAGE_BYTES + 1), Code.ResourceExhausted],
      [envelope(new Uint8Array(1), 0, 2 ** 32 - 1), Code.ResourceExhausted],
      [whole.subarray(0, 7), Code.InvalidArgument],
    ];
    for (const [part, code] of bad) {
      seen.length = 0;
      await assertRefused(code, { contentType, header: gzip, body: bodyOf(concat([whole, part])) }, serve);
      assertEquals(seen, ["a", "b"]);
    }
  });

  Deno.test(`${name} stops a gzip bomb while it inflates`, async () => {
    // Its end is wrong: had it been inflated as a whole, that would be the error.
    const body = bodyOf(envelope(gzipBomb(64 * MIB), 1));
    await assertRefused(Code.ResourceExhausted, { contentType, header: gzip, body });
  });
}

Deno.test("createIngestHandler() refuses JSON that is no UTF-8", async () => {
  const contentType = "application/connect+json";
  const bytes = concat([bytesOf('{"source":"'), Uint8Array.of(0xff), bytesOf('"}')]);
  await assertRefused(Code.InvalidArgument, { contentType, body: bodyOf(envelope(bytes)) });
});

// ---- how calls end ----

for (const contentType of BINARY) {
  const name = `createIngestHandler() of ${contentType}`;

  Deno.test(`${name} ends a call at its deadline, though the client says nothing`, async () => {
    const header: Record<string, string> = protocolOf(contentType) === "connect"
      ? { "connect-timeout-ms": "20" }
      : { "grpc-timeout": "20m" };
    const body = new TestBody();
    body.send(points(contentType, "a"));
    const error = await assertRefused(Code.DeadlineExceeded, { contentType, header, body });
    assertStringIncludes(error.message, "timed out");
    assertEquals(body.returned, 1);
  });

  Deno.test(`${name} ends a call when the server stops, and when the client is gone`, async () => {
    for (const which of ["server", "client"]) {
      const server = new AbortController(), client = new AbortController();
      const body = new TestBody();
      const handler = ingestHandler(counting, options({ shutdownSignal: server.signal }));
      const answer = callOf(handler, { contentType, body, signal: client.signal });
      await settle();
      if (which === "server") server.abort(new ConnectError("the server is stopping", Code.Unavailable));
      else client.abort(new ConnectError("gone", Code.Canceled));
      const [, error] = meaning(await answer, contentType);
      assertEquals(error && Code[error.code], which === "server" ? "Unavailable" : "Canceled");
      assertEquals(body.returned, 1);
    }
  });

  Deno.test(`${name} answers a service that has had enough, without waiting for the body`, async () => {
    for (const fails of [true, false]) {
      const body = new TestBody();
      body.send(points(contentType, "a", "b"));
      let signal: AbortSignal | undefined;
      const serve: Serve = async (points, context) => {
        signal = context.signal;
        for await (const { source } of points) {
          if (fails) throw invalidArgument("source", source);
          return { errors: [source] };
        }
        throw new Error("there was a point");
      };
      const [sources, error] = meaning(await callOf(ingestHandler(serve), { contentType, body }), contentType);
      assertEquals([sources, error?.code], fails ? [undefined, Code.InvalidArgument] : [["a"], undefined]);
      // What goes on for a call that failed is to end; one that succeeded has nothing that goes on.
      assertEquals([body.returned, signal?.aborted], [1, fails]);
    }
  });
}

Deno.test("createIngestHandler() leaves no listener and no timer behind, however a call ends", async () => {
  const contentType = "application/connect+proto";
  const ends: Serve[] = [counting, () => Promise.reject(new ConnectError("no", Code.NotFound))];
  for (const serve of ends) {
    const { signal, listeners } = counted();
    let own: AbortSignal | undefined;
    const handler = ingestHandler((points, context) => {
      own = context.signal;
      return serve(points, context);
    });
    const header = { "connect-timeout-ms": "100" };
    await callOf(handler, { contentType, header, body: bodyOf(points(contentType, "a")), signal });
    assertEquals(listeners(), 0);
    const before = own?.reason;
    await new Promise((resolve) => setTimeout(resolve, 150));
    assertEquals(own?.reason, before);
    assertEquals(own?.aborted, serve !== counting);
  }
});

Deno.test("createIngestHandler() hands on the values that a host has given", async () => {
  const key = createContextKey("not set");
  const serve: Serve = (_, context) => Promise.resolve({ errors: [context.values.get(key)] });
  const contextValues = createContextValues().set(key, "from the host");
  const contentType = "application/connect+proto";
  assertEquals(meaning(await callOf(ingestHandler(serve), { contentType, contextValues }), contentType)[0], [
    "from the host",
  ]);
});

Deno.test("createIngestHandler() tells the service whose call it is", async () => {
  const seen: unknown[] = [];
  const serve: Serve = (_, { method, service, protocolName, requestMethod, url }) => {
    seen.push([method, service, protocolName, requestMethod, url]);
    return Promise.resolve({});
  };
  for (const contentType of BINARY) {
    const request = requestOf({ contentType });
    await ingestHandler(serve)(request);
    assertEquals(seen.pop(), [METHOD, METHOD.parent, protocolOf(contentType), "POST", request.url]);
  }
});
