import { assert, assertEquals, assertRejects } from "@std/assert";
import { Code } from "@connectrpc/connect";
import { tailOn } from "../../client/cli/tail.ts";
import { SluiceError } from "../../client/mod.ts";
import { FakeClock } from "../support/fake_clock.ts";

const CUT = new SluiceError("cut", { code: Code.Unavailable, reason: "connection" });

/** Lets what is waiting go on. */
const settle = () => new Promise((resolve) => setTimeout(resolve));

Deno.test("tailOn() waits longer and longer while answers are cut after their first message, and not after a long one", async () => {
  const clock = new FakeClock();
  const abort = new AbortController();
  const asked: number[] = [];
  const lasting: number[] = [];
  let lost = 0;
  async function* ask() {
    asked.push(clock.elapsed());
    yield asked.length;
    clock.advance(lasting.shift() ?? 0);
    // One ends as if there were no more, the next is cut.
    if (asked.length % 2 === 0) throw CUT;
  }
  const messages: number[] = [];
  const run = (async () => {
    const options = { signal: abort.signal, onLost: () => void lost++, clock, random: () => 1 };
    for await (const message of tailOn(ask, options)) messages.push(message);
  })();
  const waits = async (count: number) => {
    const before = asked.length;
    while (asked.length < before + count) {
      await settle();
      clock.advance(100);
    }
    return asked.slice(before - 1).map((at, i, all) => i === 0 ? 0 : at - all[i - 1]).slice(1);
  };
  await settle();
  assertEquals(await waits(9), [200, 400, 800, 1600, 3200, 6400, 10_000, 10_000, 10_000]);
  lasting.push(20_000);
  clock.advance(10_000);
  await settle();
  // The long one, and a short wait.
  assertEquals(await waits(2), [20_000 + 100, 200]);
  assertEquals([messages.length, lost], [asked.length, asked.length]);
  abort.abort(new Error("enough"));
  await assertRejects(() => run, Error, "enough");
});

Deno.test("tailOn() ends with what another try cannot mend", async () => {
  const refused = new SluiceError("no", { code: Code.InvalidArgument, reason: "server" });
  async function* ask() {
    yield 1;
    throw refused;
  }
  const options = { signal: new AbortController().signal, onLost() {} };
  const error = await assertRejects(() => Array.fromAsync(tailOn(ask, options)));
  assertEquals(error, refused);
});

Deno.test("tailOn() ends when an answer does not begin for as long as whoever asks is patient", async () => {
  async function* ask(): AsyncGenerator<number> {
    await Promise.reject(CUT);
    yield 1;
  }
  const options = { signal: new AbortController().signal, onLost: () => assert(false, "there was nothing to lose") };
  assertEquals(await assertRejects(() => Array.fromAsync(tailOn(ask, options))), CUT);
});
