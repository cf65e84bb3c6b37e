/**
 * What happens to machines while clients send: crashes, power cuts, pauses, clocks that are set, full disks, and a
 * key-value store that nobody reaches.
 *
 * @module
 */
import { DAY, HOUR, MINUTE } from "../../limits.ts";
import type { SimDisk } from "./disk.ts";
import type { Node } from "./node.ts";
import type { World } from "./world.ts";

/** How far a clock may be behind: streams that begin further ahead of it are refused. */
const MOST_BEHIND = 50 * MINUTE;
/** How far a clock may be ahead without that anything expires. */
const MOST_AHEAD = 12 * HOUR;

type Event = "crash" | "crash at a request" | "power cut" | "freeze" | "set clock" | "full disk";

export interface ChaosOptions {
  readonly nodes: readonly Node[];
  readonly disk: SimDisk;
  /** Whether clocks are set so far that records expire. */
  readonly farJumps: boolean;
}

/** Lets things happen for `duration` ms, and sets them right in the end, but for the clocks. */
export async function makeChaos(world: World, options: ChaosOptions, duration: number): Promise<void> {
  const { scheduler, random } = world;
  const events: Event[] = ["crash", "crash at a request", "power cut", "freeze", "set clock", "full disk"];
  // As for faults: each seed has some of these only.
  const chosen = events.filter(() => random.chance(0.6));
  const pause = random.pick([200, 1000, 5000]);
  const end = scheduler.now + duration;
  while (scheduler.now < end) {
    await scheduler.sleep(random.between(0, pause));
    if (chosen.length > 0) happen(world, options, random.pick(chosen));
  }
  options.disk.isFull = false;
  for (const { process } of options.nodes) {
    process?.crashAfter(Infinity);
    process?.resume();
  }
}

function happen(world: World, { nodes, disk, farJumps }: ChaosOptions, event: Event): void {
  const { scheduler, random } = world;
  const node = random.pick(nodes);
  const { process } = node;
  switch (event) {
    case "crash":
      return process?.crash();
    case "crash at a request":
      return process?.crashAfter(random.between(1, 30));
    case "power cut":
      // One machine has the disk, and all processes on it stop.
      for (const { process } of nodes) process?.crash();
      return disk.powerCut();
    case "freeze":
      process?.freeze();
      scheduler.after(random.between(0, random.pick([1000, 10_000, MINUTE])), () => process?.resume());
      return;
    case "set clock": {
      const far = farJumps && random.chance(0.3);
      node.instance.clock.offset = far ? random.between(0, 12 * DAY) : random.between(-MOST_BEHIND, MOST_AHEAD);
      world.note(node.name, `clock ${node.instance.clock.offset}`);
      return;
    }
    case "full disk":
      disk.isFull = true;
      scheduler.after(random.between(0, 5000), () => disk.isFull = false);
  }
}
