import { assert, assertEquals, assertGreater, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { ulid } from "ulid";
import { Code, createSluice, type PointInit, SluiceError, type SluiceEvent } from "../../client/mod.ts";
import { sharedServer } from "../support/shared_server.ts";
import { until } from "../support/until.ts";
import { numberedPoints, storedOf } from "./buffered_points.ts";

const server = await sharedServer();

const HOUR = 3600_000;

function points(count: number, source: string): Iterable<PointInit> {
  return numberedPoints(source, 0, count);
}

/** A fetch that hands calls of streams to `call`, with their number from 0. */
function intercept(call: (n: number, go: () => Promise<Response>, init: RequestInit) => Promise<Response>) {
  let calls = 0;
  return ((input, init = {}) => {
    const go = () => fetch(input, init);
    return /\/Collect|\/Upload/.test(String(input)) ? call(calls++, go, init) : go();
  }) as typeof fetch;
}

Deno.test("A token that expires in the middle of a stream ends it with what is stored; another one goes on", async () => {
  // The server has no tokens of its own yet: this is what one in front of it says.
  const expired = () =>
    Promise.resolve(Response.json({ code: "unauthenticated", message: "expired" }, { status: 401 }));
  const gate = intercept((_n, go, { headers }) =>
    new Headers(headers).get("authorization") === "Bearer good" ? go() : expired()
  );
  let token = "good";
  const sluice = createSluice({ url: server.url, token: () => token, fetch: gate });
  const error = await assertRejects(async () =>
    await sluice.sendPoints(points(5000, "token"), {
      window: { items: 1000 },
      onProgress: ({ committed }) => committed >= 2000 && (token = "old"),
    }), SluiceError);
  assertEquals([error.code, error.reason, error.retryable], [Code.Unauthenticated, "server", false]);
  assertGreater(error.committed!, 1999);
  assertStringIncludes(error.hint, "Get another token");
  token = "good";
  const { successfulCount } = await sluice.sendPoints(points(5000, "token"), { streamId: error.streamId });
  assertEquals([successfulCount, await storedOf(server.url, "token")], [5000, 5000]);
});

Deno.test("A token function that throws ends the call with its error, at once", async () => {
  const token = () => Promise.reject(new RangeError("signed out"));
  const error = await assertRejects(
    async () => await createSluice({ url: server.url, token }).sendPoints(points(1, "none")),
    SluiceError,
  );
  assertEquals([error.code, error.reason, error.retryable], [Code.Unauthenticated, "token", false]);
  assertEquals((error.cause as Error).message, "signed out");
});

Deno.test("A client whose clock is wrong is told so, and nothing of its stream is stored", async () => {
  const sluice = createSluice({ url: server.url });
  for (
    const [offset, code, says] of [
      [2 * HOUR, Code.InvalidArgument, /must not have begun more than 3600000 ms ahead of the server's clock/],
      [-30 * 24 * HOUR, Code.FailedPrecondition, /./],
    ] as const
  ) {
    const streamId = `skewed-${ulid(Date.now() + offset)}`;
    const error = await assertRejects(
      async () => await sluice.sendPoints(points(10, `skewed-${offset}`), { streamId }),
      SluiceError,
    );
    assertEquals([error.code, error.reason, error.committed], [code, "server", 0], error.message);
    assert(says.test(error.message), error.message);
    assertEquals(await storedOf(server.url, `skewed-${offset}`), 0);
  }
  const { now } = Date;
  try {
    Date.now = () => now() - 30 * 24 * HOUR;
    const error = await assertRejects(async () => await sluice.sendPoints(points(10, "behind")), SluiceError);
    assertEquals(error.code, Code.FailedPrecondition);
    assertStringIncludes(error.message, "the clock here may be wrong");
  } finally {
    Date.now = now;
  }
  // Its points are refused one by one, and the others of the stream are stored.
  const ahead = { source: "ahead", timestamp: Date.now() + 48 * HOUR, metrics: { number: 1 } };
  const receipt = await sluice.sendPoints([ahead, ...points(3, "ahead")]);
  assertEquals([receipt.successfulCount, receipt.errorCount], [3, 1]);
  assertEquals([receipt.rejections[0].index, receipt.rejections[0].field], [0n, "timestamp"]);
});

Deno.test("A signal that is aborted before, during and after", async () => {
  const sluice = createSluice({ url: server.url });
  const before = await assertRejects(
    async () => await sluice.sendPoints(points(10, "before"), { signal: AbortSignal.abort(new Error("not now")) }),
    SluiceError,
  );
  assertEquals([before.code, before.reason, before.committed], [Code.Canceled, "cancelled", 0]);
  assertEquals((before.cause as Error).message, "not now");

  const abort = new AbortController();
  const during = await assertRejects(async () =>
    await sluice.sendPoints(points(Infinity, "during"), {
      signal: abort.signal,
      window: { items: 1000 },
      onProgress: ({ committed }) => committed >= 5000 && abort.abort("enough"),
    }), SluiceError);
  assertEquals([during.code, during.reason, during.cause], [Code.Canceled, "cancelled", "enough"]);
  // It is at least as much as the error says, and goes on where it is.
  const stored = await storedOf(server.url, "during");
  assertGreater(during.committed!, 4999);
  assertGreater(stored, during.committed! - 1);
  assertStringIncludes(during.hint, during.streamId!);

  const late = new AbortController();
  assertEquals((await sluice.sendPoints(points(10, "late"), { signal: late.signal })).successfulCount, 10);
  late.abort();
});

Deno.test("A response that is lost after the commit: the receipt is asked for, nothing is sent again", async () => {
  for (const transport of ["stream", "windows"] as const) {
    const source = `lost-${transport}`;
    const sent: number[] = [];
    const sluice = createSluice({
      url: server.url,
      transport,
      retry: { baseMs: 5 },
      fetch: intercept(async (_n, go) => {
        await (await go()).body?.cancel();
        throw new TypeError("the network is gone");
      }),
      onEvent: (event: SluiceEvent) => event.type === "call" && sent.push(event.start),
    });
    const receipt = await sluice.sendPoints(points(500, source));
    assertEquals([receipt.successfulCount, receipt.duplicateCount], [500, 0n]);
    assertEquals([sent, await storedOf(server.url, source)], [[0], 500]);

    const file = new TextEncoder().encode("one line\n".repeat(50_000));
    const { fileId, totalSize } = await sluice.uploadFile(file, { name: `${source}.txt` });
    assertEquals([totalSize, sent], [BigInt(file.length), [0, 0]]);
    assertEquals(await new Response(sluice.files.download(fileId)).bytes(), file);
  }
});

Deno.test("An endless producer that throws: what it made before is stored, and the error counts it", async () => {
  function* failing() {
    yield* points(12_345, "throws");
    throw new RangeError("no more");
  }
  const error = await assertRejects(
    async () => await createSluice({ url: server.url }).sendPoints(failing(), { window: { items: 1000 } }),
    SluiceError,
  );
  assertEquals([error.reason, error.committed, (error.cause as Error).message], ["producer", 12_345, "no more"]);
  await until(async () => await storedOf(server.url, "throws") === 12_345, 5000);
});

Deno.test("A stream that is gone on with, and fewer items than it has, is the caller's error", async () => {
  const sluice = createSluice({ url: server.url });
  function* failing() {
    yield* points(3, "fewer");
    throw new RangeError("no more");
  }
  const { streamId } = await sluice.sendPoints(failing()).catch((error) => error);
  const error = await assertRejects(
    async () => await sluice.sendPoints(points(1, "fewer"), { streamId }),
    SluiceError,
    "The stream already has 3 items, and was given 1",
  );
  assertEquals([error.reason, error.committed, error.retryable], ["source", 3, false]);
  assertStringIncludes(error.hint, "the same items from the first");
  assertEquals((await sluice.sendPoints(points(4, "fewer"), { streamId })).successfulCount, 4);
});

Deno.test("An item that is larger than a server takes ends sendLogs() as one of a wrong shape does; a writer goes on", async () => {
  const sluice = createSluice({ url: server.url });
  const entryOf = (message: string) => ({ application: "large", timestamp: Date.now(), message });
  const large = entryOf("x".repeat(5 << 20));
  const error = await assertRejects(
    async () => await sluice.sendLogs([entryOf("before"), large, entryOf("after")]),
    SluiceError,
    "the limit is 4194304",
  );
  assertEquals([error.reason, error.code, error.committed], ["item", Code.InvalidArgument, 1]);
  const writer = sluice.logWriter();
  await writer.write(entryOf("before"));
  assertEquals(assertThrows(() => void writer.write(large), SluiceError).reason, "item");
  await writer.write(entryOf("after"));
  assertEquals((await writer.close()).committed, 2n);
});

Deno.test("A stream that is given up says what is stored: the server is asked once more, or that nobody knows", async () => {
  for (const answers of [true, false]) {
    const source = `given-up-${answers}`;
    const network: typeof fetch = async (input, init) => {
      if (String(input).includes("GetStream")) {
        return answers ? await fetch(input, init) : Promise.reject(new TypeError("gone"));
      }
      await (await fetch(input, init)).body?.cancel();
      throw new TypeError("the answer is lost");
    };
    const sluice = createSluice({ url: server.url, fetch: network, retry: false });
    const endless = async function* () {
      yield* points(100, source);
      await new Promise(() => {});
    };
    const error = await assertRejects(
      async () => await sluice.sendPoints(endless(), { window: { ms: 50 } }),
      SluiceError,
      "the answer is lost",
    );
    assertEquals([error.committed, error.retryable], [answers ? 100 : 0, true]);
    assertEquals(error.message.includes("more may be stored than is known"), !answers);
    assertEquals(await storedOf(server.url, source), 100);
    // Of a stream that is finished, there is the receipt.
    const whole = sluice.sendPoints(points(100, `${source}-whole`));
    if (answers) assertEquals((await whole).successfulCount, 100);
    else await assertRejects(async () => await whole, SluiceError, "more may be stored");
  }
});

Deno.test("A source that stalls keeps no upload from being cancelled, nor from its deadline", async () => {
  const sluice = createSluice({ url: server.url });
  async function* stalled(bytes: number) {
    if (bytes > 0) yield new Uint8Array(bytes).fill(65);
    await new Promise(() => {});
  }
  for (const transport of ["stream", "windows"] as const) {
    sluice.useTransport(transport);
    for (const bytes of [0, 300_000]) {
      const cancelled = await assertRejects(
        async () => await sluice.uploadFile(stalled(bytes), { name: "s.txt", signal: AbortSignal.timeout(50) }),
        SluiceError,
      );
      assertEquals(cancelled.reason, "cancelled");
      const late = await assertRejects(
        async () => await sluice.uploadFile(stalled(bytes), { name: "s.txt", deadlineMs: 50 }),
        SluiceError,
      );
      assertEquals(late.reason, "deadline");
    }
  }
});

Deno.test("A low rate keeps no stream from being cancelled, and no timer behind", async () => {
  for (const transport of ["stream", "windows"] as const) {
    for (const rate of [{ bytesPerSecond: 1000 }, { itemsPerSecond: 1 }]) {
      const sluice = createSluice({ url: server.url, transport, rate });
      const error = await assertRejects(
        async () => await sluice.sendPoints(points(20_000, "rate"), { signal: AbortSignal.timeout(50) }),
        SluiceError,
      );
      assertEquals(error.reason, "cancelled");
    }
  }
});
