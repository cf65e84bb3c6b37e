import { assertEquals, assertRejects } from "@std/assert";
import { createContextValues, type HandlerContext } from "@connectrpc/connect";
import { HealthCheckResponse_ServingStatus as Status } from "../../gen/grpc/health/v1/health_pb.ts";
import { HEALTH_WATCH_MS } from "../../limits.ts";
import { createHealth } from "../../rpc/health.ts";
import { FakeClock } from "../support/fake_clock.ts";

Deno.test("health: a watch says what changes, and ends by the reason for which the call is over, never as done", async () => {
  const clock = new FakeClock();
  let isReady = true;
  const health = createHealth(new Set(["a"]), () => Promise.resolve(isReady), clock);
  for (const abortsWhile of ["waiting", "yielding"] as const) {
    isReady = true;
    const call = new AbortController();
    const context = { signal: call.signal, values: createContextValues() } as HandlerContext;
    const answers = health.watch({ $typeName: "grpc.health.v1.HealthCheckRequest", service: "a" }, context);
    const iterator = answers[Symbol.asyncIterator]();
    assertEquals((await iterator.next()).value, { status: Status.SERVING });
    const second = iterator.next();
    isReady = false;
    await clock.advance(HEALTH_WATCH_MS);
    assertEquals((await second).value, { status: Status.NOT_SERVING });
    const reason = new Error("its deadline passed");
    if (abortsWhile === "yielding") call.abort(reason);
    const third = iterator.next();
    if (abortsWhile === "waiting") call.abort(reason);
    assertEquals(await assertRejects(() => third), reason);
  }
});
