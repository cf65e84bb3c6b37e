import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { SluiceError, type SluiceEvent } from "../../client/mod.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { until } from "../support/until.ts";
import { withServer, write } from "./buffered_clients.ts";
import { storedOf } from "./buffered_points.ts";

const DAY = 24 * 3600_000;

/** The machine's time, some days later. */
function daysLater(days: number) {
  return {
    elapsed: () => performance.now(),
    now: () => Date.now() + days * DAY,
    setTimer(ms: number, fn: () => void) {
      const id = setTimeout(fn, ms);
      return () => clearTimeout(id);
    },
  };
}

/** A network that takes the body of each call that sends items, and loses it. */
function losing(lost: () => void): typeof fetch {
  return async (input, init) => {
    if (!String(input).includes("Collect")) return await fetch(input, init);
    await new Response(init?.body).bytes();
    lost();
    throw new TypeError("the network lost it");
  };
}

/** Leaves a buffer of 1000 items that were handed over, nobody knows how far they came, and 500 that were not. */
async function leaveUncertain({ client, start }: Parameters<Parameters<typeof withServer>[0]>[0]): Promise<void> {
  await using _server = await start();
  let lost = 0;
  const first = client({ fetch: losing(() => lost++) }).pointWriter({ buffer: "old", window: { ms: 50 } });
  await write(first, "handed", 0, 1000);
  await until(() => lost > 0, 30_000);
  await first.suspend();
  await _server.stop();
  await using second = client().pointWriter({ buffer: "old" });
  await write(second, "kept", 0, 500);
}

Deno.test("A buffer does not outlive the server's record of its stream, unless it is told what to do", async (t) => {
  for (const expired of ["discard", "resend"] as const) {
    await t.step(expired, () =>
      withServer(async (o) => {
        await leaveUncertain(o);
        await using _server = await o.start();
        const clock = daysLater(8);
        const refused = o.client({ clock }).pointWriter({ buffer: "old" });
        const error = await assertRejects(() => refused.flush(), SluiceError);
        assertEquals([error.reason, error.retryable], ["lost", false]);
        assertMatch(error.message, /Of 1500 items, 1000 may be stored or not/);
        // Nothing was sent, and nothing is lost.
        assertEquals([await storedOf(o.url, "handed"), await storedOf(o.url, "kept")], [0, 0]);
        const writer = o.client({ clock }).pointWriter({ buffer: "old", expired });
        await write(writer, "kept", 500, 600);
        await writer.close();
        assertEquals(await storedOf(o.url, "handed"), expired === "resend" ? 1000 : 0);
        assertEquals(await storedOf(o.url, "kept"), 600);
      }));
  }
});

Deno.test("Before that, what was handed over is asked for and sent", async () => {
  await withServer(async (o) => {
    await leaveUncertain(o);
    await using _server = await o.start();
    await o.client({ clock: daysLater(6) }).pointWriter({ buffer: "old" }).close();
    assertEquals([await storedOf(o.url, "handed"), await storedOf(o.url, "kept")], [1000, 500]);
  });
});

Deno.test("What was never handed over is sent however old it is", async () => {
  await withServer(async ({ url, start, client }) => {
    {
      await using writer = client({ clock: daysLater(-30) }).pointWriter({ buffer: "never" });
      await write(writer, "never", 0, 1000);
    }
    await using _server = await start();
    // The server has forgotten the stream that was begun, and all of it was committed.
    const writer = client().pointWriter({ buffer: "never" });
    assertEquals(await writer.flush(), 1000);
    await writer.suspend();
    await _server.stop();
    {
      await using offline = client().pointWriter({ buffer: "never" });
      await write(offline, "later", 0, 500);
    }
    await using _forgetful = await start(true);
    await client().pointWriter({ buffer: "never" }).close();
    assertEquals([await storedOf(url, "never"), await storedOf(url, "later")], [0, 500]);
  });
});

Deno.test("A stream that was to be finished is, and what is written since goes on another one", async () => {
  await withServer(async ({ url, state, start, client }) => {
    for (let i = 0; i < 3; i++) {
      const sluice = client();
      const writer = sluice.pointWriter({ buffer: "ended" });
      await write(writer, `ended-${i}`, 0, 100);
      await writer.saved();
      const closed = assertRejects(() => writer.close(), SluiceError);
      const meta = () => JSON.parse(Deno.readTextFileSync(`${state}/buffer-ended/meta.json`));
      await until(() => meta().streams.at(-1).end !== undefined, 30_000);
      sluice.close();
      assertEquals((await closed).reason, "closed");
      if (i !== 1) continue;
      await using _server = await start();
      await using both = client().pointWriter({ buffer: "ended" });
      await both.saved();
      await until(() => both.waiting === 0, 30_000);
      assertEquals([await storedOf(url, "ended-0"), await storedOf(url, "ended-1")], [100, 100]);
    }
    await using _server = await start();
    const last = client().pointWriter({ buffer: "ended" });
    await write(last, "last", 0, 7);
    assertEquals((await last.close()).committed, 7n);
    for (let i = 0; i < 3; i++) assertEquals(await storedOf(url, `ended-${i}`), 100);
    assertEquals(await storedOf(url, "last"), 7);
  });
});

Deno.test("A disk that fails ends the writer with an error, and so does damage when it is read", async () => {
  await withServer(async ({ url, state, start, client }) => {
    const folder = `${state}/buffer-disk`;
    const writer = client().pointWriter({ buffer: "disk", bufferBytes: 1e6 });
    for (const at of [0, 5000]) {
      await write(writer, "disk", at, at + 5000);
      await writer.saved();
    }
    await Deno.rename(folder, `${folder}-2`);
    const error = await assertRejects(async () => {
      await write(writer, "disk", 10_000, 100_000);
      await writer.saved();
    }, SluiceError);
    assertEquals(error.reason, "buffer");
    assertMatch(error.message, /Cannot write to the buffer/);
    assertEquals(await assertRejects(() => writer.suspend(), SluiceError), error);

    await Deno.rename(`${folder}-2`, folder);
    const [path] = [...Deno.readDirSync(folder)].map(({ name }) => `${folder}/${name}`).filter((path) =>
      path.endsWith(".items")
    ).sort();
    const bytes = await Deno.readFile(path);
    bytes[bytes.length - 100] ^= 1;
    await Deno.writeFile(path, bytes);
    await using _server = await start();
    for (let i = 0; i < 2; i++) {
      const damaged = client().pointWriter({ buffer: "disk" });
      const error = await assertRejects(() => damaged.flush(), SluiceError);
      assertEquals(error.reason, "buffer");
      assert(error.message.includes(`${path} is damaged`), error.message);
    }
    // What came before the damage is sent.
    await storedOf(url, "disk");
  });
});

Deno.test("A disk that fails when the sender has ended already ends the writer too", async () => {
  await withServer(async ({ state, client }) => {
    const folder = `${state}/buffer-late`;
    const abort = new AbortController();
    // By this clock, what is written is not saved before somebody waits for that.
    const writer = client({ clock: new FakeClock() }).pointWriter({ buffer: "late", signal: abort.signal });
    await writer.saved();
    await write(writer, "late", 0, 10);
    await Deno.rename(folder, `${folder}-2`);
    abort.abort();
    // The sender has ended, and saves what was written.
    for (let i = 0; i < 10; i++) await new Promise((resolve) => setTimeout(resolve, 0));
    await assertRejects(() => writer.close(), SluiceError);
    await Deno.rename(`${folder}-2`, folder);
  });
});

Deno.test("A record that cannot be written is the buffer's error, not the network's", async () => {
  for (const transport of ["stream", "windows"] as const) {
    await withServer(async ({ state, start, client }) => {
      await using _server = await start();
      const writer = client({ transport }).pointWriter({ buffer: "record" });
      await writer.saved();
      // In the place of the file that it is written to first.
      await Deno.mkdir(`${state}/buffer-record/meta.json.new`);
      await write(writer, "record", 0, 10);
      const error = await assertRejects(() => writer.flush(), SluiceError);
      assertEquals([error.reason, error.retryable], ["buffer", false]);
      assertMatch(error.message, /directory/i);
    });
  }
});

Deno.test("A token that is not taken keeps no buffered writer from saving: it is tried again later", async () => {
  await withServer(async ({ url, start, client }) => {
    await using _server = await start();
    let signedIn = false;
    const gate: typeof fetch = async (input, init) => {
      if (signedIn) return await fetch(input, init);
      await (init?.body instanceof ReadableStream ? init.body.cancel() : undefined);
      return Response.json({ code: "unauthenticated", message: "expired" }, { status: 401 });
    };
    const events: SluiceEvent[] = [];
    const retry = { baseMs: 5, maxMs: 50, budget: 1000 };
    const sluice = client({ fetch: gate, retry, onEvent: (event) => events.push(event) });
    const writer = sluice.pointWriter({ buffer: "token" });
    const waits = () => events.flatMap((event) => event.type === "retry" ? [event.waitMs] : []);
    await until(() => waits().length > 2, 10_000);
    assertEquals(Math.min(...waits()), 50);
    await write(writer, "token", 0, 10);
    await writer.saved();
    signedIn = true;
    await write(writer, "token", 10, 20);
    assertEquals(await writer.flush(), 20);
    await writer.close();
    assertEquals(await storedOf(url, "token"), 20);
  });
});

Deno.test("A login page in the server's place is waited out by whoever has reached the server before", async () => {
  await withServer(async ({ url, start, client }) => {
    let pages = 0;
    let answers = Infinity;
    const portal: typeof fetch = async (input, init) => {
      if (answers-- > 0) return await fetch(input, init);
      if (pages++ > 5) answers = Infinity;
      await (init?.body instanceof ReadableStream ? init.body.cancel() : undefined);
      return new Response("<h1>Welcome aboard</h1>", { headers: { "content-type": "text/html" } });
    };
    await using _server = await start();
    const events: SluiceEvent[] = [];
    const sluice = client({ fetch: portal, onEvent: (event) => events.push(event) });
    const writer = sluice.pointWriter({ buffer: "train" });
    await write(writer, "train", 0, 10);
    await writer.flush();
    answers = 0;
    await write(writer, "train", 10, 20);
    assertEquals(await writer.flush(), 20);
    await writer.suspend();
    assertEquals(await storedOf(url, "train"), 20);
    assert(events.some((event) => event.type === "retry" && event.error.reason === "foreign"));
    // A program that has never reached it, nor one before it, has the wrong address.
    answers = pages = 0;
    const wrong = client({ fetch: portal }).pointWriter({ buffer: "wrong" });
    await write(wrong, "wrong", 0, 10);
    assertEquals((await assertRejects(() => wrong.flush(), SluiceError)).reason, "foreign");
    // Nothing of it is lost.
    answers = Infinity;
    await client({ fetch: portal }).pointWriter({ buffer: "wrong" }).close();
    assertEquals(await storedOf(url, "wrong"), 10);
  });
});
