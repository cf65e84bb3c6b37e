import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { SluiceError } from "../../client/errors.ts";
import type { OpenWindow } from "../../client/feed.ts";
import { UNCONNECTED_BYTES } from "../../client/limits.ts";
import { callWindow } from "../../client/window_call.ts";
import { FakeClock } from "../support/fake_clock.ts";

const SECOND = 1000;

type Body = ReadableStream<Uint8Array<ArrayBuffer>>;

/** A call of a window whose clock the test moves, and what became of it. */
function callOf(
  body: OpenWindow["body"],
  post: (body: Body | Blob, signal: AbortSignal) => Promise<unknown>,
  clock = new FakeClock(),
) {
  const abort = new AbortController();
  const state = { stopped: undefined as unknown, taken: 0 };
  const window: OpenWindow = {
    ...{ start: 0, end: undefined, body, made: Promise.resolve() },
    stop: (reason) => state.stopped = reason,
  };
  const result = callWindow(window, post, {
    ...{ clock, timeoutMs: 30 * SECOND, signal: abort.signal },
    onTaken: () => state.taken++,
  });
  result.catch(() => {});
  return { clock, abort, state, result };
}

/** A body of so many chunks, each made by `make`. */
function chunked(count: number, make: () => Promise<void> | void = () => {}, bytes = 10): Body {
  let made = 0;
  return new ReadableStream({
    async pull(controller) {
      if (made++ === count) return controller.close();
      await make();
      controller.enqueue(new Uint8Array(bytes));
    },
  }, { highWaterMark: 0 });
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => signal.addEventListener("abort", () => reject(new TypeError("fetch failed"))));
}

/** What is ready to run has run then. */
function settled(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

Deno.test("callWindow() lasts for as long as a slow link takes bytes, and a slow producer or a rate gives them", async () => {
  for (const slow of ["link", "producer"]) {
    const clock = new FakeClock();
    const make = () => slow === "producer" ? clock.advance(600 * SECOND) : undefined;
    const { result } = callOf(chunked(20, make), async (body) => {
      let bytes = 0;
      for await (const chunk of body as Body) {
        bytes += chunk.length;
        if (slow === "link") clock.advance(29 * SECOND);
      }
      clock.advance(29 * SECOND);
      return bytes;
    }, clock);
    assertEquals(await result, 200);
    assert(clock.elapsed() > 500 * SECOND);
  }
});

Deno.test("callWindow() ends when nothing is taken, and when no receipt comes, for as long as is allowed", async () => {
  const cases: [number, OpenWindow["body"], string][] = [
    [0, chunked(5), "Nothing was taken within 30000 ms"],
    [3, chunked(5), "Nothing was taken within 30000 ms"],
    [6, chunked(5), "No receipt came within 30000 ms"],
    [0, Promise.resolve(new Blob(["x"])), "No receipt came within 30000 ms"],
  ];
  for (const [reads, body, message] of cases) {
    const { clock, result, state } = callOf(body, async (body, signal) => {
      const reader = reads > 0 ? (body as Body).getReader() : undefined;
      for (let i = 0; i < reads; i++) await reader!.read();
      await aborted(signal);
    });
    await settled();
    clock.advance(30 * SECOND - 1);
    await settled();
    assertEquals(state.stopped, undefined);
    clock.advance(1);
    const error = await assertRejects(() => result, SluiceError, message);
    assertEquals([error.reason, error.retryable], ["connection", true]);
    assert(state.stopped instanceof DOMException);
  }
});

Deno.test("callWindow() throws what its body failed with, not what fetch makes of that", async () => {
  const full = new SluiceError("the disk is full", { code: 13, reason: "buffer" });
  const failing = chunked(5, () => Promise.reject(full));
  const { result } = callOf(failing, async (body) => {
    await new Response(body as Body).bytes().catch(() => {});
    throw new TypeError("fetch failed");
  });
  assertStrictEquals(await assertRejects(() => result), full);
});

Deno.test("callWindow() that is aborted waits neither for a body nor for an answer", async () => {
  for (const body of [chunked(1, () => new Promise(() => {})), new Promise<Blob>(() => {})]) {
    const { result, abort, state } = callOf(body, async (body, signal) => {
      await Promise.race([new Response(body).bytes(), aborted(signal)]);
    });
    await settled();
    abort.abort(new Error("enough"));
    await assertRejects(() => result, Error, "enough");
    assert(state.stopped !== undefined);
  }
});

Deno.test("callWindow() tells that the endpoint is there once it takes more than UNCONNECTED_BYTES", async () => {
  const read = async (body: Body | Blob) => void await new Response(body).bytes();
  for (const [bytes, taken] of [[UNCONNECTED_BYTES, 0], [UNCONNECTED_BYTES + 1, 1]]) {
    const { result, state } = callOf(chunked(1, undefined, bytes), read);
    await result;
    assertEquals(state.taken, taken);
  }
});
