/**
 * The demo with made-up data: everything is sent, read back, and compared.
 *
 * @module
 */
import { makeFile, makeLogs, makePoints, quantileBounds } from "./demo_data.ts";
import { bytes, pace, progressLine, type Report } from "./demo_report.ts";
import { createRunningHash, sha256Hex } from "./hash.ts";
import { Aggregation, type Rejection, type SearchLogsResponse, type Sluice } from "./mod.ts";

/** Bytes of a chunk in the demo's upload. */
const CHUNK_BYTES = 32 * 1024;
/** Relative error that QueryMetrics states for a quantile. */
const QUANTILE_ERROR = 0.01;

/** Runs the demo; `run` is a word that is in everything it sends, so that two runs on one server do not mix. */
export async function demoGenerated(sluice: Sluice, run: string, report: Report): Promise<void> {
  await demoFile(sluice, makeFile(run), `demo-${run}.csv`, CHUNK_BYTES, report);
  await demoPoints(sluice, run, report);
  await demoLogs(sluice, run, report);
}

/** Uploads a file, downloads it and compares. */
export async function demoFile(
  sluice: Sluice,
  source: Uint8Array | string,
  name: string,
  chunkSize: number,
  report: Report,
): Promise<void> {
  const start = performance.now();
  const receipt = await sluice.uploadFile(source, { name, chunkSize, onProgress: progressLine(name) });
  const seconds = (performance.now() - start) / 1000;
  const size = Number(receipt.totalSize);
  report.say(
    `Upload completed: ${receipt.fileName}, ${size} bytes in ${receipt.chunkCount} chunks, ` +
      `${seconds.toFixed(2)} s, ${bytes(size / seconds)}/s, id ${receipt.fileId}`,
  );
  if (typeof source !== "string") report.check("SHA-256 in the receipt", receipt.checksum, await sha256Hex(source));

  const hash = await createRunningHash();
  let read = 0;
  for await (const part of sluice.files.download(receipt.fileId)) {
    hash.update(part);
    read += part.length;
  }
  report.check("bytes downloaded", read, size);
  report.check("SHA-256 downloaded", await hash.digest(), receipt.checksum);
  // Of earlier runs on the same server, too, if there were any.
  const { files } = await sluice.files.list({ pageSize: 5 });
  report.check("newest file in the list", files[0]?.fileName, name);
  report.say(`  the newest files: ${files.map(({ fileName }) => fileName).join(", ")}`);
}

async function demoPoints(sluice: Sluice, run: string, report: Report): Promise<void> {
  const { points, bad, latencies, source, from, to } = makePoints(run);
  const start = performance.now();
  const receipt = await sluice.sendPoints(points);
  const took = performance.now() - start;
  const { totalProcessed, successfulCount, errorCount } = receipt;
  report.say(`Collection completed: ${totalProcessed} total, ${successfulCount} successful, ${errorCount} errors`);
  report.say(`  (${pace(points.length, took)})`);
  for (const line of summarise(receipt.rejections)) report.say(`  rejected ${line}`);
  report.check("points successful", successfulCount, points.length - bad.length);
  report.check("points rejected", `${receipt.rejections.map(({ index }) => index)}`, `${bad}`);

  const { series } = await sluice.queryMetrics({
    source,
    metric: "latency_ms",
    from: BigInt(from),
    to: BigInt(to),
    aggregations: [Aggregation.COUNT],
    quantiles: [0.95],
  });
  report.check("series of latency_ms", series.length, latencies.size);
  for (const { series: which, buckets } of series) {
    const host = which?.tags.host ?? "";
    const values = latencies.get(host) ?? [];
    const [low, high] = quantileBounds(values, 0.95);
    const [{ count, quantiles: [p95] }] = buckets;
    report.check(`points of host=${host}`, Number(count), values.length);
    report.holds(
      `p95 of latency_ms, host=${host}: ${p95.toFixed(3)} from the server, ${low.toFixed(3)} from the raw values ` +
        `(${(Math.abs(p95 / low - 1) * 100).toFixed(2)} % apart)`,
      p95 >= low * (1 - QUANTILE_ERROR) && p95 <= high * (1 + QUANTILE_ERROR),
    );
  }
}

async function demoLogs(sluice: Sluice, run: string, report: Report): Promise<void> {
  const { entries, from, to } = makeLogs(run);
  const start = performance.now();
  const receipt = await sluice.sendLogs(entries);
  const took = performance.now() - start;
  const { totalReceived, indexedCount, filteredCount, errorCount } = receipt;
  report.say(
    `Log collection completed: ${totalReceived} total, ${indexedCount} indexed, ${filteredCount} filtered, ` +
      `${errorCount} errors`,
  );
  report.say(`  (${pace(entries.length, took)})`);
  const range = { fields: { run }, from: BigInt(from), to: BigInt(to) };
  report.check("log entries found", await countHits(sluice, range, report), entries.length);

  const refused = entries.filter(({ application, message }) =>
    application === "billing" && message.includes("refused")
  );
  const words = { ...range, application: "billing", words: ["refused", "bank"] };
  report.check('entries of billing with "refused" and "bank"', await countHits(sluice, words, report), refused.length);

  const severe = entries.filter(({ level }) => level === "error" || level === "fatal");
  report.check(
    "entries of level ERROR and above",
    await countHits(sluice, { ...range, minLevel: "ERROR" }, report),
    severe.length,
  );
}

/** Searches page by page; each entry counts once. */
export async function countHits(
  sluice: Sluice,
  request: Parameters<Sluice["searchLogs"]>[0],
  report: Report,
): Promise<number> {
  const ids = new Set<string>();
  const start = performance.now();
  let opened = 0n;
  let skipped = 0n;
  let pages = 0;
  let pageToken = "";
  do {
    const page: SearchLogsResponse = await sluice.searchLogs({ ...request, pageSize: 1000, pageToken });
    for (const { id } of page.hits) ids.add(id);
    opened += page.segmentsOpened;
    skipped += page.segmentsSkipped;
    pages++;
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  report.say(
    `  search: ${ids.size} hits on ${pages} pages, ${opened} segments opened, ${skipped} skipped, ` +
      `${(performance.now() - start).toFixed(0)} ms`,
  );
  return ids.size;
}

/** The rejections, those with the same reason together. */
export function summarise(rejections: readonly Rejection[]): string[] {
  const groups = Map.groupBy(rejections, ({ field, reason }) => `${field}: ${reason.replaceAll(/\d{5,}/g, "...")}`);
  return [...groups].map(([text, { length }]) => `${length} for ${text}`);
}
