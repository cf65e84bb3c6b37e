import { assert, assertEquals } from "@std/assert";
import { DAY } from "../../../limits.ts";
import { checkStore, type Finding } from "../../../store/check/check.ts";
import { KvClient } from "../../../store/kv/kv.ts";
import { blobKey, fileKey, streamKey } from "../../../store/kv/keys.ts";
import { createKvBlobStore } from "../../../store/blob/kv.ts";
import { openTestStores } from "../../support/stores.ts";
import { WRONGS } from "./findings_table.ts";
import { openSoundStore, SIZE, TENANT } from "./sound_store.ts";

const text = ({ key, what, garbage }: Finding) => `${garbage ? "garbage " : ""}${key.split("/")[0]}: ${what}`;

Deno.test("checkStore() finds nothing in a sound store, and says what it looked at", async () => {
  using store = await openSoundStore();
  const { findings, counts } = await store.check();
  assertEquals(findings, []);
  assertEquals(counts, {
    values: (await store.keys()).length,
    files: 1,
    uploads: 1,
    blocks: 4,
    bytes: 2 * SIZE,
    runs: 0,
    segments: 2,
    samples: 200,
    entries: 50,
    streams: 3,
    faults: 0,
    garbage: 0,
    restless: 0,
  });
});

for (const { name, make, findings: expected } of WRONGS) {
  Deno.test(`checkStore() finds: ${name}`, async () => {
    using store = await openSoundStore();
    await make(store);
    const { findings } = await store.check();
    const left = findings.map(text);
    for (const pattern of expected) {
      const at = left.findIndex((finding) => pattern.test(finding));
      assert(at >= 0, `${pattern} is not among ${JSON.stringify(left)}`);
      left.splice(at, 1);
    }
    assertEquals(left, []);
  });
}

Deno.test("checkStore() takes what is past retention for on its way out", async () => {
  using store = await openSoundStore();
  await store.db.delete((await store.entry("logs")).key);
  store.clock.advance(store.retention + DAY);
  assertEquals((await store.check()).findings.filter(({ key }) => key.startsWith("log")), []);
});

Deno.test("checkStore() reads blobs in KV, and names a value of theirs that is damaged", async () => {
  using store = await openTestStores({ blobs: createKvBlobStore });
  const writer = await store.files.writer(TENANT);
  await writer.append(new Uint8Array(200_000));
  const { id } = await writer.finish({ name: "a.csv", contentType: "text/csv", chunkCount: 1 });
  const findings: Finding[] = [];
  assertEquals((await checkStore(store, (finding) => findings.push(finding))).faults, 0);
  const key = ["piece", id, 1, 2];
  const bytes = (await store.kv.get(key)).value?.slice() ?? new Uint8Array();
  bytes[1000] ^= 4;
  await store.db.set(key, bytes);
  await checkStore(store, (finding) => findings.push(finding));
  assertEquals(findings.map(({ key }) => key), [`file/${TENANT}/${id}`, `piece/${id}/1/2`]);
});

/** A store whose entry under `key` is changed by `move` each time after it has been read. */
function moving(store: Awaited<ReturnType<typeof openSoundStore>>, key: Deno.KvKey, move: () => Promise<unknown>) {
  const name = key.join("/");
  const { db } = store;
  return new KvClient({
    get: async (wanted: Deno.KvKey, ...more: []) => {
      const entry = await db.get(wanted, ...more);
      if (wanted.join("/") === name) await move();
      return entry;
    },
    getMany: db.getMany.bind(db),
    list: db.list.bind(db),
    atomic: db.atomic.bind(db),
  } as Deno.Kv, store.clock);
}

Deno.test("checkStore() judges again what moved under it", async () => {
  using store = await openSoundStore();
  await store.setStream("file", { committed: 5n });
  // The stream comes right after it was looked at, as if claim and record had moved together.
  const kv = moving(store, streamKey(TENANT, "file", store.streamIds.file), () => store.setStream("file"));
  const findings: Finding[] = [];
  const counts = await checkStore({ ...store, kv }, (finding) => findings.push(finding));
  assertEquals(findings, []);
  assertEquals(counts.restless, 0);
});

Deno.test("checkStore() reports nothing of what never stands still, and counts it", async () => {
  using store = await openSoundStore();
  const wrong = () => store.setStream("file", { committed: 5n });
  await wrong();
  const kv = moving(store, streamKey(TENANT, "file", store.streamIds.file), wrong);
  const counts = await checkStore({ ...store, kv }, () => {});
  assertEquals([counts.faults, counts.restless], [0, 2]);
});

Deno.test("checkStore() takes a file that was deleted while it was read for no damage", async () => {
  using store = await openSoundStore();
  let reads = 0;
  const kv = moving(store, blobKey(store.fileId), async () => {
    if (reads++ === 0) await store.files.remove(TENANT, store.fileId);
  });
  const findings: Finding[] = [];
  await checkStore({ ...store, kv }, (finding) => findings.push(finding));
  assertEquals(findings, []);
  assertEquals((await store.kv.get(fileKey(TENANT, store.fileId))).value, null);
});
