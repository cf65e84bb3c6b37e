import { assert, assertEquals } from "@std/assert";
import { Code, ConnectError } from "@connectrpc/connect";
import { ulid } from "ulid";
import { BLOCK_BYTES } from "../../limits.ts";
import type { FileWriter } from "../../store/types.ts";
import { Random } from "../store/format/random.ts";
import { another, content, readAll, settle, sha256, type Stores, SUBJECTS } from "./file_stores.ts";

const FILE = { name: "a.txt", contentType: "text/plain", chunkCount: 1, totalSize: 0 };
const RUNS = 12;

/** Writes that come too late may fail, but only because another writer has the upload. */
async function tryLate(work: Promise<unknown>): Promise<void> {
  await work.catch((error) => {
    const isLate = error instanceof ConnectError && (error.code === Code.Aborted || error.code === Code.Unavailable);
    if (!isLate) throw error;
  });
}

/** One upload, by calls that end anywhere: well, by a cut, or not at all, and then write on when another has begun. */
async function uploadThroughCuts(first: Stores, seed: number): Promise<void> {
  const random = new Random(seed);
  const instances = [first, await another(first)];
  const data = content(random.below(3 * BLOCK_BYTES));
  const id = ulid(first.clock.now());
  const paused: FileWriter[] = [];
  let acknowledged = 0;
  for (;;) {
    const stores = instances[random.below(instances.length)];
    const stream = await stores.streams.open("t", "file", {
      id,
      beganAt: first.clock.now(),
      start: 0,
      end: undefined,
    });
    const writer = await stores.files.writer("t", { stream, file: FILE });
    assert(writer.committed >= acknowledged, `${acknowledged} were committed, and now ${writer.committed}`);
    let at = writer.committed;
    const end = random.below(3) === 0 ? data.length : at + random.below(data.length - at + 1);
    while (at < end) {
      const next = Math.min(end, at + 1 + random.below(random.below(2) === 0 ? 2000 : 400_000));
      await writer.append(data.slice(at, next));
      at = next;
      if (random.below(6) === 0) await settle(first);
      const zombie = paused[random.below(paused.length)];
      if (zombie && random.below(4) === 0) await tryLate(zombie.append(new Uint8Array(1 + random.below(2_000_000))));
    }
    for (const zombie of paused) if (random.below(3) === 0) await tryLate(zombie.suspend());
    if (at === data.length && random.below(3) > 0) {
      const file = await writer.finish({ ...FILE, sha256: sha256(data) });
      for (const zombie of paused) await tryLate(zombie.suspend());
      assertEquals(sha256(await readAll(first, file.id, 0, data.length)), sha256(data));
      assertEquals((await first.files.list("t", 9, undefined)).length, 1);
      await first.files.remove("t", file.id);
      return;
    }
    if (random.below(2) === 0) {
      await writer.suspend();
      acknowledged = at;
    } else {
      paused.push(writer);
      acknowledged = stream.info.committed;
    }
    assert(((await first.streams.get("t", "file", id))?.committed ?? 0) >= acknowledged);
  }
}

for (const [name, run] of Object.entries(SUBJECTS)) {
  Deno.test(`FileStore (${name}) puts an upload together through cuts, paused writers and other instances`, () =>
    run(async (stores) => {
      for (let seed = 1; seed <= RUNS; seed++) await uploadThroughCuts(stores, seed);
    }));
}
