import { assertEquals, assertGreater, assertRejects } from "@std/assert";
import { unavailable } from "../../../errors.ts";
import { HOUR } from "../../../limits.ts";
import { createMemoryBlobStore } from "../../../store/blob/memory.ts";
import { toLogColumns } from "../../../store/format/log_columns.ts";
import type { BlobStore, PieceWriter } from "../../../store/types.ts";
import { FakeClock } from "../../support/fake_clock.ts";
import { openTestStores } from "../../support/stores.ts";

for (const failing of ["append", "sync"] as const) {
  Deno.test(`Compaction: a writer whose ${failing} fails is let go of, and the next round makes the run`, async () => {
    const clock = new FakeClock();
    const memory = createMemoryBlobStore(clock);
    let isDown = true;
    const open = new Set<PieceWriter>();
    let created = 0;
    const blobs: BlobStore = {
      ...memory,
      async create(id, epoch) {
        const piece = await memory.create(id, epoch);
        const refuse = <T>(what: string, fn: () => Promise<T>) =>
          isDown && what === failing ? Promise.reject(unavailable("down")) : fn();
        const own: PieceWriter = {
          room: piece.room,
          append: (data) => refuse("append", () => piece.append(data)),
          sync: (all) => refuse("sync", () => piece.sync(all)),
          seal() {
            assertEquals(open.delete(own), true, "it is sealed once");
            return piece.seal();
          },
        };
        open.add(own);
        created++;
        return own;
      },
    };
    using stores = await openTestStores({ clock, blobs: () => blobs });
    for (let i = 0; i < 20; i++) {
      const writer = stores.logs.writer("t");
      const timestamp = clock.now() - 3 * HOUR;
      await writer.write(toLogColumns([{ application: "a", level: 2, timestamp, message: `m${i}`, fields: [] }]));
      await writer.flush();
    }
    clock.advance(2 * HOUR);
    for (let i = 0; i < 3; i++) await assertRejects(() => stores.keepHouse(), Error, "down");
    assertEquals([created, open.size], [3, 0]);
    isDown = false;
    assertGreater((await stores.keepHouse()).runs, 0);
    assertEquals(open.size, 0);
  });
}
