/**
 * Whole streams are deleted by their name while segments become runs, and machines crash. Of a deletion that was
 * acknowledged no question may show anything any more; of one whose outcome nobody knows, all may be there or gone.
 *
 * @module
 */
import type { DeletionInfo } from "../../store/deletion_types.ts";
import type { Stores } from "../../store/open.ts";
import type { Sent } from "./checks.ts";
import { Points } from "./items.ts";
import { isRefusal, type Node } from "./node.ts";
import { TENANT } from "./stream_client.ts";
import type { World } from "./world.ts";

/** How long an acknowledgement is waited for. */
const PATIENCE_MS = 10_000;

export class Deletions {
  /** Names of streams whose deletion somebody has begun. */
  readonly begun = new Set<string>();
  /** Of those, the ones that were acknowledged. */
  readonly acknowledged = new Set<string>();

  /** What a clock that was far ahead has stamped is too young to be moved, for long. */
  mayLinger = false;

  /** Deletes some streams, one after the other. */
  async make(world: World, nodes: readonly Node[], sent: readonly Sent[], violation: (what: string) => void) {
    const { scheduler, random } = world;
    for (const { items } of random.shuffle([...sent]).slice(0, random.between(0, 2))) {
      await scheduler.sleep(random.between(0, random.pick([100, 1000, 30_000])));
      const { open } = random.pick(nodes);
      if (open === undefined) continue;
      const { name } = items;
      const whole = { from: 0, to: Number.MAX_SAFE_INTEGER };
      this.begun.add(name);
      const adding = open.stores.deletions.add(
        TENANT,
        items instanceof Points
          ? { kind: "points", ...whole, source: name, tags: [] }
          : { kind: "logs", ...whole, application: name },
      ).then(() => void this.acknowledged.add(name)).catch((error) => {
        if (!isRefusal(error)) violation(`a deletion fails: ${error}`);
      });
      // Of a process that has crashed there comes no answer.
      await Promise.race([adding, scheduler.sleep(PATIENCE_MS)]);
    }
  }

  /** Finds out which deletions there are, and returns what is wrong with them. */
  async settle({ deletions }: Stores, farJumps: boolean): Promise<string[]> {
    this.mayLinger = farJumps;
    const list = await deletions.list(TENANT, 100, undefined);
    const there = new Set(list.map(({ items }) => nameOf(items)));
    const found: string[] = [];
    for (const name of this.acknowledged) if (!there.has(name)) found.push(`the deletion of ${name} is forgotten`);
    for (const { id, doneAt } of list) if (doneAt === 0 && !farJumps) found.push(`the deletion ${id} is not done`);
    for (const name of this.begun) {
      if (there.has(name)) this.acknowledged.add(name);
      else this.begun.delete(name);
    }
    return found;
  }
}

function nameOf(items: DeletionInfo["items"]): string | undefined {
  switch (items.kind) {
    case "points":
      return items.source;
    case "logs":
      return items.application;
  }
}
