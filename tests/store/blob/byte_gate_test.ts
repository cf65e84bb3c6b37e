import { assertEquals, assertRejects } from "@std/assert";
import { ByteGate } from "../../../store/blob/byte_gate.ts";
import { settled } from "../../http2/basics.ts";

/** Runs through a gate that end when the test says so. */
function runs(gate: ByteGate) {
  const inside = new Map<string, { end(): void; fail(): void }>();
  return {
    names: () => [...inside.keys()].join(""),
    begin(name: string, bytes: number, signal = new AbortController().signal) {
      return gate.run(bytes, signal, async () => {
        const { promise, resolve, reject } = Promise.withResolvers<void>();
        inside.set(name, { end: resolve, fail: () => reject(new Error("failed")) });
        try {
          await promise;
        } finally {
          inside.delete(name);
        }
      });
    },
    async end(name: string, how: "end" | "fail" = "end") {
      inside.get(name)![how]();
      await settled();
    },
  };
}

Deno.test("ByteGate lets in what fits, in the order of the calls, and room is given back however it ends", async () => {
  const { names, begin, end } = runs(new ByteGate(10));
  const all = [begin("a", 4), begin("b", 6), begin("c", 5), begin("d", 1)];
  const failing = assertRejects(() => all[1]);
  await settled();
  // d would fit before c does, but must not overtake it.
  assertEquals(names(), "ab");
  await end("a");
  assertEquals(names(), "b");
  await end("b", "fail");
  await failing;
  assertEquals(names(), "cd");
  await end("c");
  await end("d");
  await Promise.all([all[0], all[2], all[3]]);
});

Deno.test("ByteGate lets what is larger than itself go alone", async () => {
  const { names, begin, end } = runs(new ByteGate(10));
  const all = [begin("a", 1), begin("b", 11), begin("c", 1)];
  await settled();
  assertEquals(names(), "a");
  await end("a");
  assertEquals(names(), "b");
  await end("b");
  assertEquals(names(), "c");
  await end("c");
  await Promise.all(all);
});

Deno.test("ByteGate lets go of who gives up waiting", async () => {
  const { names, begin, end } = runs(new ByteGate(10));
  const controller = new AbortController();
  const first = begin("a", 8);
  const second = assertRejects(() => begin("b", 8, controller.signal), Error, "given up");
  const third = begin("c", 2);
  await settled();
  assertEquals(names(), "a");
  controller.abort(new Error("given up"));
  await second;
  await settled();
  assertEquals(names(), "ac");
  await end("a");
  await end("c");
  await Promise.all([first, third]);
  await assertRejects(() => begin("d", 1, controller.signal), Error, "given up");
});
