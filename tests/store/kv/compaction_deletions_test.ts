import { assert, assertEquals, assertGreater, assertLess } from "@std/assert";
import { ulid } from "ulid";
import { COMPACT_BYTES, HOUR, MAX_SEGMENT_BYTES, MINUTE } from "../../../limits.ts";
import { unlimitedSpace } from "../../../store/free_space.ts";
import { toLogColumns } from "../../../store/format/log_columns.ts";
import { KnownDamage } from "../../../store/kv/compaction/damage.ts";
import { applyDeletions } from "../../../store/kv/compaction/deletions.ts";
import { createLogMerger, createLogRuns } from "../../../store/kv/compaction/logs.ts";
import type { Merger } from "../../../store/kv/compaction/merger.ts";
import { Steps } from "../../../store/kv/compaction/steps.ts";
import { Round } from "../../../store/kv/housekeeping/round.ts";
import { Lease } from "../../../store/kv/lease.ts";
import { NEVER, openTestStores } from "../../support/stores.ts";
import { Random } from "../format/random.ts";

Deno.test("Compaction: a deletion writes what it finds as it goes on, and gives way after each segment", async () => {
  using stores = await openTestStores();
  const { clock, logs, deletions } = stores;
  const hour = Math.floor(clock.now() / HOUR) * HOUR;
  const random = new Random(3);
  const message = () => Array.from({ length: 100 }, () => random.below(2 ** 31).toString(36)).join(" ");
  let segments = 0;
  for (; segments < 120; segments++) {
    const writer = logs.writer("t");
    const timestamp = hour + segments;
    await writer.write(toLogColumns(
      Array.from({ length: 60 }, (_, i) => ({
        ...{ application: `a${i % 2}`, level: 2, timestamp, message: message(), fields: [] },
      })),
    ));
    await writer.flush();
  }
  await deletions.add("t", { kind: "logs", from: 0, to: Number.MAX_SAFE_INTEGER, application: "a1" });
  clock.advance(5 * MINUTE);

  let looked = 0, paced = 0, pacedBefore = -1;
  /** How many segments had been looked at before each merge, and how many bytes it took. */
  const merges: { readonly looked: number; readonly bytes: number }[] = [];
  const own = createLogMerger(createLogRuns(stores));
  const merger: Merger = {
    ...own,
    mayHold(payload, list) {
      looked++;
      assertGreater(paced, pacedBefore, "it gives way between two segments");
      pacedBefore = paced;
      return own.mayHold(payload, list);
    },
    merge(round, sources, out) {
      merges.push({ looked, bytes: sources.segments.reduce((sum, { value }) => sum + value.length, 0) });
      return own.merge(round, sources, out);
    },
  };
  class PacedRound extends Round {
    override pace(): Promise<void> {
      paced++;
      return super.pace();
    }
  }
  const lease = new Lease({ ...stores, name: "housekeeping", holder: "test" });
  assert(await lease.take());
  const options = {
    ...stores,
    mergers: [merger],
    holder: "test",
    space: unlimitedSpace,
    newId: () => ulid(clock.now()),
  };
  const steps = new Steps(new PacedRound(options, lease, NEVER), new KnownDamage(clock));
  // Rests wait for this clock.
  const ticking = setInterval(() => clock.advance(1), 1);
  await applyDeletions(steps, merger, "t");
  clearInterval(ticking);
  assertEquals(looked, segments);
  assertGreater(merges.length, 2);
  for (const { bytes } of merges) assertLess(bytes, COMPACT_BYTES + MAX_SEGMENT_BYTES);
  assertLess(merges[0].looked, segments / 2, "the first run is made before all is looked through");
  assertGreater((await deletions.list("t", 1, undefined))[0].doneAt, 0);
});
