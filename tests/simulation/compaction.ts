/**
 * A day later: segments become runs while machines crash, commits get lost and clocks are set, and whoever asks meanwhile
 * is to see each item once.
 *
 * @module
 */
import { DAY, HOUR } from "../../limits.ts";
import type { BlobStore } from "../../store/types.ts";
import { makeChaos } from "./chaos.ts";
import { checkQueries, type Sent } from "./checks.ts";
import { readContent } from "./content.ts";
import type { Deletions } from "./deletions.ts";
import type { SimDisk } from "./disk.ts";
import type { Surroundings } from "./instance.ts";
import { isRefusal, type Node } from "./node.ts";
import type { World } from "./world.ts";

export interface CompactionOptions {
  readonly nodes: readonly Node[];
  readonly around: Surroundings;
  readonly disk: SimDisk;
  readonly blobs: BlobStore;
  readonly sent: readonly Sent[];
  readonly deletions: Deletions;
  violation(what: string): void;
}

/** How many ask at a time. */
const READERS = 2;
/** How long an answer is waited for. */
const PATIENCE_MS = 10_000;

export async function watchCompaction(world: World, options: CompactionOptions): Promise<void> {
  const { nodes, around, disk, blobs, sent, deletions, violation } = options;
  const { scheduler, random } = world;
  const content = await readContent(around.kv, blobs);
  const finished = sent.filter(({ client }) => client.outcome === "finished");
  for (const node of nodes) {
    node.instance.clock.offset += DAY + 7 * HOUR;
    // All of them find something to do at the same time.
    scheduler.after(random.between(0, 20), () => node.wake());
  }
  world.faults.resume();
  let isOver = false;
  const ask = async () => {
    while (!isOver) {
      await scheduler.sleep(random.between(0, 2000));
      const { open } = random.pick(nodes);
      if (open === undefined) continue;
      const asked = checkQueries(finished, content, open.stores, open.process.now(), deletions).then((found) => {
        for (const what of found) violation(`while segments are moved, ${what}`);
      }).catch((error) => {
        if (!isRefusal(error)) violation(`while segments are moved, a question fails: ${error}`);
      });
      // Of a process that has crashed there comes no answer.
      await Promise.race([asked, scheduler.sleep(PATIENCE_MS)]);
    }
  };
  const asking = Array.from({ length: READERS }, ask);
  const deleting = deletions.make(world, nodes, finished, violation);
  await makeChaos(world, { nodes, disk, farJumps: false }, random.pick([20_000, 60_000, 120_000]));
  isOver = true;
  world.faults.stop();
  await Promise.all([...asking, deleting]);
}
