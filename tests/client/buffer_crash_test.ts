import { assert, assertEquals, assertGreater, assertGreaterOrEqual } from "@std/assert";
import { fileURLToPath } from "node:url";
import { startServer } from "../support/server.ts";
import { Random } from "../store/format/random.ts";
import { storedOf } from "./buffered_points.ts";

const PROGRAM = fileURLToPath(new URL("buffered_program.ts", import.meta.url));

/** Runs the program; once it says that it has saved so many, it lives `ms` longer, or to its end if that is undefined. */
async function run(args: (string | number)[], killAt?: { saved: number; ms: number }) {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--cached-only", PROGRAM, ...args.map(String)],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const stderr = new Response(child.stderr).text();
  let text = "";
  let killing: ReturnType<typeof setTimeout> | undefined;
  for await (const piece of child.stdout.pipeThrough(new TextDecoderStream())) {
    text += piece;
    const due = killAt !== undefined && Number(text.split("\n").at(-2)) >= killAt.saved;
    if (due) killing ??= setTimeout(() => child.kill("SIGKILL"), killAt.ms);
  }
  const { signal, code } = await child.status;
  clearTimeout(killing);
  if (killAt === undefined) assertEquals(code, 0, await stderr);
  else assert(signal === "SIGKILL" || code === 0, await stderr);
  const saved = text.split("\n").filter((line) => /^\d+$/.test(line)).map(Number);
  return { saved: saved.at(-1) ?? 0, closed: text.includes("closed"), killed: signal === "SIGKILL" };
}

Deno.test("What a program saved while the server was down, and it was killed again and again, arrives exactly once", async () => {
  const first = await startServer();
  const { port } = new URL(first.url);
  const state = await Deno.makeTempDir({ prefix: "sluice-state-" });
  try {
    await first.stop();
    const random = new Random(11);
    const saved: Record<string, number> = {};
    let total = 0;
    for (let i = 0; i < 4; i++) {
      const source = `offline-${i}`;
      const outcome = await run([first.url, state, source, 1e9], { saved: 20_000, ms: random.below(50) });
      assert(outcome.killed);
      total += saved[source] = outcome.saved;
    }
    assertGreater(total, 80_000);
    await using server = await startServer({ dir: first.dir, env: { SLUICE_LISTEN: `127.0.0.1:${port}` } });
    const last = await run([server.url, state, "online", 20_000, "close"]);
    assert(last.closed);
    saved.online = last.saved;
    for (const [source, count] of Object.entries(saved)) {
      const stored = await storedOf(server.url, source);
      assertGreaterOrEqual(stored, count, source);
      if (source === "online") assertEquals(stored, 20_000);
    }
    assertEquals([...Deno.readDirSync(`${state}/buffer-program`)].map(({ name }) => name), ["lock"]);
  } finally {
    await first[Symbol.asyncDispose]();
    await Deno.remove(state, { recursive: true });
  }
});

Deno.test("A program that is killed while it sends: what it saved arrives exactly once", async () => {
  await using server = await startServer();
  const state = await Deno.makeTempDir({ prefix: "sluice-state-" });
  try {
    const random = new Random(12);
    const saved: Record<string, number> = {};
    for (let i = 0; i < 12; i++) {
      const source = `sending-${i}`;
      const outcome = await run([server.url, state, source, 1e9], { saved: 250, ms: random.below(400) });
      assert(outcome.killed);
      saved[source] = outcome.saved;
    }
    assert((await run([server.url, state, "last", 1000, "close"])).closed);
    for (const [source, count] of Object.entries(saved)) {
      assertGreaterOrEqual(await storedOf(server.url, source), count, source);
    }
    assertEquals(await storedOf(server.url, "last"), 1000);
  } finally {
    await Deno.remove(state, { recursive: true });
  }
});
