import { assertEquals } from "@std/assert";
import { ulid } from "ulid";
import { systemClock } from "../../../clock.ts";
import { DAY, HOUR, MIB } from "../../../limits.ts";
import { checkStore, type Finding } from "../../../store/check/check.ts";
import { toLogColumns } from "../../../store/format/log_columns.ts";
import { openStores, type Stores } from "../../../store/open.ts";
import { openRaw } from "../../../store/open_raw.ts";
import { systemPlatform } from "../../../store/platform.ts";
import type { StreamKind } from "../../../store/stream_types.ts";
import { textBytes } from "../../support/chunks.ts";
import { NEVER } from "../../support/stores.ts";

const TENANT = "default";
const PLATFORM = systemPlatform(systemClock);
const FILE = { name: "a.csv", contentType: "text/csv", totalSize: 0 };

/** Stores on disk, and a check of them that reads what the stores have written. */
async function withStores(uploadExpiry: number, fn: (stores: Stores, check: () => Promise<unknown>) => Promise<void>) {
  const directory = await Deno.makeTempDir();
  const config = {
    data: directory,
    kv: `${directory}/kv.sqlite`,
    blobs: { kind: "file" as const, path: `${directory}/blobs` },
    minFreeBytes: 0,
    retention: DAY,
    maxSeries: 10,
    uploadExpiry,
    streamLifetime: HOUR,
    maxStreams: 10,
    coldAfter: 6 * 3600_000,
  };
  const stores = await openStores(config, PLATFORM);
  try {
    await fn(stores, async () => {
      const raw = await openRaw(config, PLATFORM);
      const findings: Finding[] = [];
      const { uploads, files, streams, bytes } = await checkStore({
        ...raw,
        clock: systemClock,
        retention: config.retention,
      }, (finding) => findings.push(finding));
      raw.close();
      return { findings, uploads, files, streams, bytes };
    });
  } finally {
    await stores.close();
    await Deno.remove(directory, { recursive: true });
  }
}

const open = (stores: Stores, kind: StreamKind, id: string, start = 0, end?: number) =>
  stores.streams.open(TENANT, kind, { id, beganAt: Date.now(), start, end });

Deno.test("checkStore() finds an upload sound wherever its calls end, and its file", async () => {
  await withStores(HOUR, async (stores, check) => {
    const id = `up-${ulid()}`;
    const bytes = textBytes(3 * MIB + 77);
    const ends = [1000, MIB + 500_000, 2 * MIB, 3 * MIB + 77];
    let at = 0;
    for (const end of ends) {
      const writer = await stores.files.writer(TENANT, { stream: await open(stores, "file", id), file: FILE });
      await writer.append(bytes.subarray(at, at = end));
      await writer.suspend();
      assertEquals(await check(), { findings: [], uploads: 1, files: 0, streams: 1, bytes: at });
    }
    const writer = await stores.files.writer(TENANT, { stream: await open(stores, "file", id), file: FILE });
    await writer.finish({ ...FILE, chunkCount: 4 });
    assertEquals(await check(), { findings: [], uploads: 0, files: 1, streams: 1, bytes: bytes.length });
  });
});

Deno.test("checkStore() finds nothing where the sweep has taken an upload", async () => {
  await withStores(1, async (stores, check) => {
    const writer = await stores.files.writer(TENANT, {
      stream: await open(stores, "file", `up-${ulid()}`),
      file: FILE,
    });
    await writer.append(textBytes(MIB + 7));
    await writer.suspend();
    await new Promise((resolve) => setTimeout(resolve, 10));
    assertEquals((await stores.keepHouse(NEVER)).uploads, 1);
    assertEquals(await check(), { findings: [], uploads: 0, files: 0, streams: 1, bytes: 0 });
  });
});

Deno.test("checkStore() finds streams sound, open and finished, with rejections", async () => {
  await withStores(HOUR, async (stores, check) => {
    const refused = [{ index: 1, code: "INVALID_ARGUMENT", field: "level", reason: "none", retryable: false }];
    for (const end of [undefined, 2]) {
      const stream = await open(stores, "logs", ulid(), 0, end);
      await stream.take(new Uint8Array(8));
      const writer = stores.logs.writer(TENANT, stream);
      const entries = [{ application: "web", level: 2, timestamp: Date.now(), message: "kept", fields: [] }];
      await writer.write(toLogColumns(entries), { first: 0, count: 2, kept: Int32Array.of(0), refused });
      await writer.flush();
    }
    assertEquals(await check(), { findings: [], uploads: 0, files: 0, streams: 2, bytes: 0 });
  });
});
