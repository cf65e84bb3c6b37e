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

/** Opens the log where it was left, and reads on until there has been no line for `quietMs`. */
async function textsFrom(path: string, position: Position, quietMs: number): Promise<string[]> {
  const { follower } = await Follower.open(path, new AbortController().signal, position);
  await using _ = follower;
  return await texts(follower, quietMs);
}

async function texts(follower: Follower, quietMs: number): Promise<string[]> {
  const read: string[] = [];
  for (;;) {
    const line = await follower.next(performance.now() + quietMs);
    if (line === undefined) return read;
    read.push(decoder.decode(line));
  }
}

Deno.test("Follower: copies of the log that lie beside it are not read, whatever their names", () =>
  inFolder(async (path) => {
    await Deno.writeTextFile(path, "one\ntwo\n");
    const { follower } = await Follower.open(path, new AbortController().signal, "begin");
    assertEquals(await texts(follower, 150), ["one\n", "two\n"]);
    const { position } = follower;
    await follower[Symbol.asyncDispose]();
    for (const suffix of [".bak", ".1", ".old"]) {
      await Deno.copyFile(path, path + suffix);
      await Deno.utime(path + suffix, 1, 1);
    }
    await Deno.writeTextFile(path, "three\n", { append: true });
    assertEquals(await textsFrom(path, position, 300), ["three\n"]);
    // Renamed now, it is found all the same, and read before the new one.
    await Deno.rename(path, `${path}-20261124`);
    await Deno.writeTextFile(path, "four\n");
    assertEquals(await textsFrom(path, position, 2500), ["three\n", "four\n"]);
  }));

Deno.test("Follower: of the files beside the log, only those with the name of a rotated one are read", async () => {
  const rotated = ["1", "20261124", "2026-11-24", "2026-11-24_10-00-00", "2026-11-24T10:00:00Z", "old"].map((s) =>
    `.${s}`
  );
  rotated.push("-20261124", "-20261124-1732406400", "_20261124");
  for (const suffix of rotated) await check(suffix, ["after\n", "new\n"]);
  for (const suffix of [".err", ".1.gz", ".zst", "-debug.1", ".bak", "2", ".1.tmp"]) await check(suffix, ["new\n"]);

  function check(suffix: string, expected: string[]): Promise<void> {
    return inFolder(async (path) => {
      await Deno.writeTextFile(path, "before\n");
      const { follower } = await Follower.open(path, new AbortController().signal, "begin");
      await using _ = follower;
      assertEquals(await texts(follower, 50), ["before\n"]);
      await Deno.rename(path, `${path}.0`);
      await Deno.writeTextFile(path + suffix, "after\n");
      // Long ago, so that they are left at once, one after the other.
      await Deno.utime(`${path}.0`, 1, 1);
      await Deno.utime(path + suffix, 2, 2);
      await Deno.writeTextFile(path, "new\n");
      assertEquals(await texts(follower, 150), expected, suffix);
    });
  }
});

for (const rotation of ["rename", "truncate"]) {
  Deno.test(`Follower: a last line without an end does not go on in the next file, after ${rotation}`, () =>
    inFolder(async (path) => {
      await Deno.writeTextFile(path, "one\ntwo");
      const { follower } = await Follower.open(path, new AbortController().signal, "begin");
      await using _ = follower;
      assertEquals(await texts(follower, 150), ["one\n"]);
      if (rotation === "rename") {
        await Deno.rename(path, `${path}.1`);
        await Deno.utime(`${path}.1`, 1, 1);
      }
      await Deno.writeTextFile(path, "thr");
      assert(await follower.ready());
      // It is in no file after a truncation, and what has taken its place is not told as its position.
      const { head, offset } = follower.position;
      assertEquals([new TextDecoder().decode(Uint8Array.fromHex(head)), offset], ["one\ntwo", 4]);
      assertEquals(await texts(follower, 150), ["two\n"]);
      await Deno.writeTextFile(path, "ee\nfour\n", { append: true });
      assertEquals(await texts(follower, 150), ["three\n", "four\n"]);
      assertEquals(follower.position.offset, 11);
    }));
}
