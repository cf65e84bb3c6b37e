import { assert, assertEquals, assertRejects } from "@std/assert";
import { Code, createSluice, SluiceError } from "../../client/mod.ts";
import { HOUR } from "../../limits.ts";
import { sharedServer } from "../support/shared_server.ts";
import { badFields } from "../support/wire.ts";

const server = await sharedServer();
const sluice = createSluice({ url: server.url });
const begin = Date.now() - HOUR;

async function sendPoints(source: string): Promise<void> {
  await sluice.sendPoints(Array.from({ length: 100 }, (_, i) => ({
    source,
    timestamp: begin + i * 1000,
    metrics: { deleted: i, other: i },
  })));
}

async function countOf(source: string, metric: string): Promise<number> {
  const { series } = await sluice.queryMetrics({ source, metric });
  return series.reduce((sum, { buckets }) => sum + buckets.reduce((all, { count }) => all + Number(count), 0), 0);
}

Deno.test("DeletePoints: what is committed is gone at once, what comes later is kept", async () => {
  await sendPoints("gone");
  await sendPoints("kept");
  const deletion = await sluice.deletePoints({ source: "gone", metric: "deleted" });
  assertEquals([deletion.what.case, deletion.doneAt], ["points", 0n]);
  assertEquals([await countOf("gone", "deleted"), await countOf("gone", "other")], [0, 100]);
  assertEquals(await countOf("kept", "deleted"), 100);
  const listed = async () => (await sluice.listSeries({ source: "gone" })).series.map(({ metric }) => metric);
  assertEquals(await listed(), ["other"]);

  await sendPoints("gone");
  assertEquals([await countOf("gone", "deleted"), await countOf("gone", "other")], [100, 200]);

  await sluice.deletePoints({ source: "kept", from: BigInt(begin + 10_000), to: BigInt(begin + 20_000) });
  assertEquals([await countOf("kept", "deleted"), await countOf("kept", "other")], [90, 90]);
});

Deno.test("DeleteLogs: by application and range, gone from searches and counts at once", async () => {
  const send = (application: string) =>
    sluice.sendLogs(Array.from({ length: 50 }, (_, i) => ({
      application,
      timestamp: begin + i * 1000,
      message: `entry ${i} to be deleted`,
    })));
  const hits = async (query: string) => (await sluice.searchLogs({ query, pageSize: 1000 })).hits.length;
  await send("log-gone");
  await send("log-kept");
  await sluice.deleteLogs({ application: "log-gone" });
  assertEquals([await hits("app:log-gone"), await hits("app:log-kept"), await hits("deleted")], [0, 50, 50]);
  assertEquals((await sluice.logFacets({ query: "deleted" })).count, 50n);
  await sluice.deleteLogs({ application: "log-kept", to: BigInt(begin + 10_000) });
  assertEquals([await hits("app:log-kept"), (await sluice.logFacets({ query: "app:log-kept" })).count], [40, 40n]);
  await send("log-gone");
  assertEquals(await hits("app:log-gone"), 50);
});

Deno.test("ListDeletions: says what was deleted, the newest first, in pages", async () => {
  for (const source of ["l1", "l2", "l3"]) await sluice.deletePoints({ source });
  const first = await sluice.listDeletions({ pageSize: 2 });
  const second = await sluice.listDeletions({ pageSize: 1, pageToken: first.nextPageToken });
  const sources = [...first.deletions, ...second.deletions].map(({ what }) =>
    what.case === "points" ? what.value.source : ""
  );
  assertEquals(sources, ["l3", "l2", "l1"]);
});

Deno.test("ListDeletions: a deleted file is named, with its size and checksum", async () => {
  const { fileId, checksum } = await sluice.uploadFile(new TextEncoder().encode("a,b\n"), { name: "gone.csv" });
  await sluice.files.delete(fileId);
  const { deletions: [{ what, createdAt, doneAt }] } = await sluice.listDeletions({ pageSize: 1 });
  assert(what.case === "file");
  const { $typeName: _, ...file } = what.value;
  assertEquals(file, { fileId, fileName: "gone.csv", totalSize: 4n, checksum });
  assertEquals(doneAt, createdAt);
  // What was refused deleted nothing.
  await assertRejects(() => sluice.files.delete(fileId), SluiceError);
  const { deletions: [newest] } = await sluice.listDeletions({ pageSize: 1 });
  assertEquals(newest.what.value, what.value);
});

Deno.test("Deletions: without a condition, or with a range that is none, nothing is deleted", async () => {
  for (
    const [work, field] of [
      [() => sluice.deletePoints({}), "request"],
      [() => sluice.deleteLogs({}), "request"],
      [() => sluice.deletePoints({ source: "a", from: 10n, to: 5n }), "to"],
      [() => sluice.deleteLogs({ from: -1n }), "from"],
      [() => sluice.listDeletions({ pageToken: "forged" }), "page_token"],
      [() => sluice.listDeletions({ pageSize: 1001 }), "page_size"],
    ] as const
  ) {
    const error = await assertRejects(work as () => Promise<unknown>, SluiceError);
    assertEquals([error.code, badFields(error)], [Code.InvalidArgument, [field]]);
  }
});
