import { assertEquals, assertStringIncludes } from "@std/assert";
import { watchRealSources } from "./real_sources.ts";

Deno.test("watchRealSources() tells of what a simulation must not use, and ends", () => {
  const used: string[] = [];
  {
    using _ = watchRealSources((what) => used.push(what.split("\n")[0]));
    Date.now();
    Math.random();
    clearTimeout(setTimeout(() => {}, 1));
    crypto.getRandomValues(new Uint8Array(1));
    performance.now();
    AbortSignal.timeout(0);
  }
  Date.now();
  crypto.getRandomValues(new Uint8Array(1));
  assertEquals(
    used.map((line) => line.split(" ")[0]),
    ["now", "random", "setTimeout", "getRandomValues", "now", "timeout"],
  );
  assertStringIncludes(Math.random.toString(), "native code");
});
