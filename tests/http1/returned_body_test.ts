/** A handler that has heard enough: it answers, and lets go of a body that it still waits for. */
import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import type { Http1Handler, Http1Options } from "../../http1/mod.ts";
import { createMemoryBudget } from "../../http2/budget.ts";
import { bytesOf, open, script, settled, text, textOf } from "./fake.ts";

const head = (...fields: string[]) => ["POST / HTTP/1.1", "host: x", ...fields, "", ""].join("\r\n");
const FRAMINGS: Record<string, { begin: string; more: (size: number) => string }> = {
  "content-length": {
    begin: head("content-length: 100000000") + "first",
    more: (size) => "x".repeat(size),
  },
  "chunked": {
    begin: head("transfer-encoding: chunked") + "5\r\nfirst\r\n",
    more: (size) => `${size.toString(16)}\r\n${"x".repeat(size)}\r\n`,
  },
};

interface Seen {
  pending?: Promise<IteratorResult<Uint8Array>>;
  after?: IteratorResult<Uint8Array>[];
}

/** Reads the first of a body, asks for more, and answers without waiting for that. */
function early(seen: Seen): Http1Handler {
  return async (request) => {
    const iterator = request.body[Symbol.asyncIterator]();
    assertEquals(textOf((await iterator.next()).value!), "first");
    seen.pending = iterator.next();
    await settled(1);
    const returning = iterator.return!();
    // At once, with the read still on its way.
    const asked = await iterator.next();
    seen.after = [asked, await returning, await iterator.next(), await iterator.return!(), await iterator.next()];
    return text("enough", 413);
  };
}

function openEarly(options: Http1Options = {}) {
  const seen: Seen = {};
  const budget = createMemoryBudget(1_000_000);
  const opened = open(early(seen), { budget, ...options });
  /** Nothing is left of the connection. */
  const assertEnded = async () => {
    const { connection, clock, state, errors } = opened;
    await connection.finished;
    const { handlers, bufferedBytes } = connection.stats;
    assertEquals([handlers, bufferedBytes, clock.timers, state.closed, budget.used], [0, 0, 0, true, 0]);
    assertEquals(errors, []);
  };
  return { ...opened, seen, assertEnded };
}

for (const [framing, { begin, more }] of Object.entries(FRAMINGS)) {
  Deno.test(`${framing}: a handler that returns a body it waits for has its answer sent, and the connection ends`, async () => {
    const { send, sent, end, received, connection, seen, assertEnded } = openEarly();
    await send(begin);
    assertMatch(await sent(), /^HTTP\/1.1 413 [^]*connection: close\r\n\r\nenough$/);
    const done = { done: true, value: undefined };
    assertEquals([await seen.pending, ...seen.after!], Array(6).fill(done));
    // The client goes on for a while, as it has not read the answer: that is dropped, not reset.
    for (let i = 0; i < 10; i++) await send(more(50_000));
    await settled();
    assert(connection.stats.bytesReceived > 500_000);
    assertEquals(connection.stats.requests, 1);
    end();
    assertEquals(await received(), "");
    await assertEnded();
  });

  Deno.test(`${framing}: of a returned body no more than maxDrainBytes is dropped`, async () => {
    const limits = { maxDrainBytes: 100_000 };
    const { send, sent, connection, assertEnded } = openEarly({ limits });
    await send(begin);
    await sent();
    await assertRejects(async () => {
      for (let i = 0; i < 100; i++) {
        await send(more(10_000));
        await settled();
      }
    }, Deno.errors.BrokenPipe);
    assert(connection.stats.bytesReceived < 2 * limits.maxDrainBytes, `${connection.stats.bytesReceived} bytes`);
    await assertEnded();
  });

  Deno.test(`${framing}: a returned body is dropped for no longer than maxDrainMs`, async () => {
    const { send, sent, clock, state, assertEnded } = openEarly({ limits: { maxDrainMs: 2_000 } });
    await send(begin);
    await sent();
    await clock.advance(1_000);
    await send(more(10));
    await settled();
    assert(!state.closed);
    await clock.advance(3_000);
    await assertEnded();
  });
}

Deno.test("a body may be returned before anything of it was asked for", async () => {
  const after: unknown[] = [];
  const answer = await script(head("content-length: 5") + "first", async (request) => {
    const iterator = request.body[Symbol.asyncIterator]();
    after.push(await iterator.return!(), await iterator.next());
    return text("enough", 413);
  });
  assertMatch(answer, /^HTTP\/1.1 413 [^]*enough$/);
  assertEquals(after, Array(2).fill({ done: true, value: undefined }));
});

Deno.test("a body that has ended may be returned, and the connection goes on", async () => {
  const one = head("content-length: 5") + "first";
  const answer = await script(one + one, async (request) => {
    const iterator = request.body[Symbol.asyncIterator]();
    while (!(await iterator.next()).done);
    await iterator.return!();
    return text("all");
  });
  assertEquals(answer.split("HTTP/1.1 200").length, 3);
});

Deno.test("a client that waits to be told to go on gets the answer of a handler that returns the body", async () => {
  for (const isSlow of [false, true]) {
    let pending: Promise<IteratorResult<Uint8Array>> | undefined;
    const { send, sent, end, down, connection, errors } = open(async (request) => {
      const iterator = request.body[Symbol.asyncIterator]();
      pending = iterator.next();
      await settled(1);
      await iterator.return!();
      return text("enough", 413);
    });
    // It has not even been told.
    down.blocked = isSlow;
    await send(head("expect: 100-continue", "content-length: 100000"));
    await settled();
    down.unblock();
    assertMatch(await sent(), /^HTTP\/1.1 100 Continue\r\n\r\nHTTP\/1.1 413 [^]*connection: close[^]*enough$/);
    assertEquals((await pending)?.done, true);
    end();
    await connection.finished;
    assertEquals(errors, []);
  }
});

Deno.test("a body that is returned while the answer is being sent does not end the answer", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const { send, sent, end, connection, errors } = open(async (request) => {
    const iterator = request.body[Symbol.asyncIterator]();
    await iterator.next();
    const pending = iterator.next();
    return {
      status: 200,
      body: async function* () {
        yield bytesOf("one ");
        await promise;
        await iterator.return!();
        assertEquals((await pending).done, true);
        yield bytesOf("two");
      }(),
    };
  });
  await send(head("content-length: 10") + "first");
  assertMatch(await sent(), /^HTTP\/1.1 200 [^]*one /);
  resolve();
  await settled();
  // The head has promised that the connection goes on; so it does, once the rest has come.
  await send("other" + head("content-length: 5") + "first");
  assertMatch(await sent(), /two\r\n0\r\n\r\nHTTP\/1.1 200 [^]*one two$/);
  end();
  await connection.finished;
  assertEquals([errors, connection.stats.requests], [[], 2]);
});
