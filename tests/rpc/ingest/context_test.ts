import { assert, assertEquals } from "@std/assert";
import { Code, ConnectError, createContextKey, createContextValues } from "@connectrpc/connect";
import { createContext, OpenCalls } from "../../../rpc/ingest/context.ts";
import { CONNECT, GRPC, GRPC_WEB } from "../../../rpc/ingest/protocols.ts";
import { METHOD, requestOf } from "./calls.ts";
import { counted } from "./support.ts";

const never = () => new AbortController().signal;

Deno.test("OpenCalls.begin() aborts with the reason of whatever ends the call first", async () => {
  const shutdown = new AbortController(), client = new AbortController();
  const calls = new OpenCalls(shutdown.signal);
  const gone = calls.begin(client.signal, undefined);
  const failed = calls.begin(never(), undefined);
  const open = calls.begin(never(), 60_000);
  const late = calls.begin(never(), 1);

  client.abort("gone");
  assertEquals([gone.signal.reason, open.signal.aborted], ["gone", false]);
  failed.fail("failed");
  assertEquals([failed.signal.reason, open.signal.aborted], ["failed", false]);
  await new Promise((resolve) => late.signal.addEventListener("abort", resolve));
  assertEquals(Code[(late.signal.reason as ConnectError).code], Code[Code.DeadlineExceeded]);
  assert(!open.signal.aborted);
  shutdown.abort("stopping");
  assertEquals(open.signal.reason, "stopping");
  // The first reason stays.
  assertEquals([gone.signal.reason, failed.signal.reason], ["gone", "failed"]);
  for (const call of [gone, failed, open, late]) call.end();
});

Deno.test("OpenCalls.begin() aborts at once for a caller that is gone, or a server that has stopped", () => {
  assertEquals(new OpenCalls(AbortSignal.abort("stopped")).begin(never(), undefined).signal.reason, "stopped");
  assertEquals(new OpenCalls(undefined).begin(AbortSignal.abort("gone"), undefined).signal.reason, "gone");
});

Deno.test("OpenCalls forgets a call that has ended: nothing listens for it, and nothing aborts it any more", async () => {
  const shutdown = counted(), client = counted();
  const calls = new OpenCalls(shutdown.signal);
  const ended = Array.from({ length: 100 }, () => {
    const call = calls.begin(client.signal, 1);
    call.end();
    return call;
  });
  // One for all calls that there will be.
  assertEquals([shutdown.listeners(), client.listeners()], [1, 0]);
  client.controller.abort("gone");
  shutdown.controller.abort("stopping");
  // Longer than their deadline.
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert(ended.every(({ signal }) => !signal.aborted));
});

Deno.test("createContext() has what each protocol's answer begins with", () => {
  const key = createContextKey("default");
  const contextValues = createContextValues().set(key, "given");
  for (const protocol of [GRPC, GRPC_WEB, CONNECT]) {
    for (const isBinary of [true, false]) {
      const request = requestOf({ contextValues });
      const signal = never();
      const context = createContext(METHOD, request, protocol, { signal, timeoutMs: undefined, isBinary });
      assertEquals([...context.responseHeader], [["content-type", protocol.contentType[isBinary ? "binary" : "json"]]]);
      assertEquals([...context.responseTrailer], [...new Headers(protocol.trailers)]);
      assertEquals([context.values.get(key), context.requestHeader, context.signal], ["given", request.header, signal]);
      assertEquals(context.timeoutMs(), undefined);
      // Trailers of one call are not those of the next.
      context.responseTrailer.set("more", "x");
      const other = createContext(METHOD, requestOf({}), protocol, { signal, timeoutMs: 1_000, isBinary });
      assertEquals([other.responseTrailer.get("more"), other.values.get(key)], [null, "default"]);
      const left = other.timeoutMs()!;
      assert(left > 0 && left <= 1_000, `${left} ms`);
    }
  }
});
