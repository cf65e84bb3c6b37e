/**
 * What a store under tests/upgrade/ holds. Made once with each released version of the store, by
 * `deno run -A tests/upgrade/make.ts VERSION`, and read by every later one.
 *
 * @module
 */
import { makeSeries } from "../../store/format/series.ts";
import type { LogRecord } from "../../store/log_types.ts";
import type { PointBatch } from "../../store/types.ts";
import { DAY, RETENTION_DAYS, STREAM_RECORD_DAYS, UPLOAD_EXPIRY_MS } from "../../limits.ts";
import type { StoresConfig } from "../../store/open.ts";

/** The moment at which the stores were made, and at which they are read. */
export const NOW = Date.UTC(2026, 10, 1, 12, 30);

export const FILE_BYTES: Uint8Array = Uint8Array.from({ length: 70_000 }, (_, i) => (i * 7 + (i >> 8)) & 0xff);

const series = ["cpu", "mem"].map((metric) => makeSeries("host-1", metric, { zone: "a", rack: "7" }));
const POINTS = 500;

/** A point every 10 s, of two series. */
export const points: PointBatch = {
  series,
  timestamps: Float64Array.from({ length: POINTS }, (_, i) => NOW - i * 10_000),
  ends: Int32Array.from({ length: POINTS }, (_, i) => (i + 1) * 2),
  seriesOf: Int32Array.from({ length: POINTS * 2 }, (_, i) => i % 2),
  values: Float64Array.from({ length: POINTS * 2 }, (_, i) => i % 2 ? i * 1.5 : Math.round(Math.sin(i) * 1000) / 10),
};

export const logs: LogRecord[] = Array.from({ length: 300 }, (_, i) => ({
  application: i % 3 ? "web" : "db",
  level: i % 6,
  timestamp: NOW - i * 20_000,
  message: `request ${i} took ${i % 17} ms — ünïcode`,
  fields: [["user", `u${i % 5}`]],
}));

export function storesConfig(directory: string): StoresConfig {
  return {
    data: directory,
    kv: `${directory}/kv.sqlite`,
    blobs: { kind: "file", path: `${directory}/blobs` },
    minFreeBytes: 0,
    retention: RETENTION_DAYS * DAY,
    maxSeries: 1000,
    uploadExpiry: UPLOAD_EXPIRY_MS,
    streamLifetime: STREAM_RECORD_DAYS * DAY,
    maxStreams: 1000,
    coldAfter: 6 * 3600_000,
  };
}
