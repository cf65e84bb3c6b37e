import { assert, assertEquals } from "@std/assert";
import { Follower } from "../../client/cli/follow.ts";
import type { Position } from "../../client/cli/follow_files.ts";
import { lineOf, numberOf, type Rotation, writeLog } from "./log_writer.ts";

const decoder = new TextDecoder();

async function inFolder(test: (path: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "sluice-follow-" });
  try {
    await test(`${folder}/app.log`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** The numbers of the lines up to when there has been none for `quietMs`. */
async function numbers(follower: Follower, quietMs: number, into: number[] = [], limit = Infinity): Promise<number[]> {
  while (into.length < limit) {
    const line = await follower.next(performance.now() + quietMs);
    if (line === undefined) break;
    into.push(numberOf(decoder.decode(line)));
  }
  return into;
}

/** What is missing, and what came twice. */
function faults(read: readonly number[], lines: number, lost: ReadonlySet<number>) {
  const seen = new Set(read);
  const missing = Array.from({ length: lines }, (_, i) => i).filter((i) => !seen.has(i) && !lost.has(i));
  return { missing, doubled: read.length - seen.size };
}

for (const rotation of ["rename", "copytruncate"] as Rotation[]) {
  Deno.test(`Follower: 10,000 lines a second across ${rotation}: none twice, none lost but what ${rotation} loses`, () =>
    inFolder(async (path) => {
      const { follower } = await Follower.open(path, new AbortController().signal, "begin");
      await using _ = follower;
      const writing = writeLog(path, { lines: 25_000, linesPerSecond: 10_000, rotation, rotations: 3 });
      const read = await numbers(follower, 3500);
      const { lines, lost, rotations } = await writing;
      assertEquals(rotations, 3);
      assertEquals(lost.size > 0, rotation === "copytruncate");
      assertEquals(faults(read, lines, lost), { missing: [], doubled: 0 });
    }));

  Deno.test(`Follower: opened again at its position, also after ${rotation}, it goes on there`, () =>
    inFolder(async (path) => {
      const writing = writeLog(path, { lines: 12_000, linesPerSecond: 10_000, rotation, rotations: 2 });
      const read: number[] = [];
      let position: Position | "begin" = "begin";
      for (let round = 0; round < 12; round++) {
        const { follower, found } = await Follower.open(path, new AbortController().signal, position);
        assert(found);
        await numbers(follower, 200, read, read.length + 800);
        position = follower.position;
        await follower[Symbol.asyncDispose]();
      }
      const { lines, lost } = await writing;
      const { follower } = await Follower.open(path, new AbortController().signal, position);
      await numbers(follower, 3500, read);
      await follower[Symbol.asyncDispose]();
      assertEquals(faults(read, lines, lost), { missing: [], doubled: 0 });
    }));
}

for (const rotation of ["rename", "copytruncate"] as Rotation[]) {
  Deno.test(`Follower: what is written while nobody asks for lines is there afterwards, for all of ${rotation}`, () =>
    inFolder(async (path) => {
      const { follower } = await Follower.open(path, new AbortController().signal, "begin");
      await using _ = follower;
      const writing = writeLog(path, { lines: 10_000, linesPerSecond: 10_000, rotation, rotations: 3 });
      const read = await numbers(follower, 300, [], 500);
      const { lines, lost } = await writing;
      await numbers(follower, 3500, read);
      assertEquals(faults(read, lines, lost), { missing: [], doubled: 0 });
    }));
}

Deno.test("Follower: a file that is not there yet, a line that is not ended, an end to wait for", () =>
  inFolder(async (path) => {
    const abort = new AbortController();
    const { follower } = await Follower.open(path, abort.signal, "begin");
    await using _ = follower;
    assertEquals(await follower.next(performance.now() + 150), undefined);
    await Deno.writeTextFile(path, `${lineOf(1)}\nhalf`);
    assertEquals(await numbers(follower, 300), [1]);
    await Deno.writeTextFile(path, " and half\n", { append: true });
    assertEquals(decoder.decode(await follower.next(Infinity)), "half and half\n");
    const waiting = follower.next(Infinity);
    abort.abort();
    assertEquals(await waiting, undefined);
  }));

Deno.test("Follower: from the end, it begins with what is added", () =>
  inFolder(async (path) => {
    await Deno.writeTextFile(path, `${lineOf(1)}\n`);
    const { follower } = await Follower.open(path, new AbortController().signal, "end");
    await using _ = follower;
    assertEquals(await numbers(follower, 150), []);
    await Deno.writeTextFile(path, `${lineOf(2)}\n`, { append: true });
    assertEquals(await numbers(follower, 300), [2]);
  }));

Deno.test("Follower: what was left and is gone is said to be, and the file is read from its beginning", () =>
  inFolder(async (path) => {
    await Deno.writeTextFile(path, `${lineOf(1)}\n${lineOf(2)}\n`);
    const first = await Follower.open(path, new AbortController().signal, "begin");
    await numbers(first.follower, 150, [], 1);
    const { position } = first.follower;
    await first.follower[Symbol.asyncDispose]();
    await Deno.remove(path);
    await Deno.writeTextFile(path, `${lineOf(7)}\n`);
    const { follower, found } = await Follower.open(path, new AbortController().signal, position);
    await using _ = follower;
    assertEquals([found, await numbers(follower, 150)], [false, [7]]);
  }));
