/**
 * Compares what was sent with what the stores of a stopped server hold, item by item.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { fromBinary } from "@bufbuild/protobuf";
import { createSluice } from "../../client/mod.ts";
import { systemClock } from "../../clock.ts";
import { readConfig } from "../../config.ts";
import { RunRecordSchema } from "../../gen/sluice/store/v1/records_pb.ts";
import { decodeLogSegment } from "../../store/format/log_reader.ts";
import { openPointSegment } from "../../store/format/point_reader.ts";
import { decodeValue } from "../../store/format/value.ts";
import { systemPlatform } from "../../store/platform.ts";
import { openRaw } from "../../store/open_raw.ts";
import { segmentsOfRun } from "../support/run_segments.ts";
import { doubleOf, messageOf, METRICS, type Series } from "./content.ts";
import type { Sent } from "./workload.ts";

export interface Comparison {
  /** How many of each kind were sent, and lost or doubled; those whose content differs count as lost. */
  readonly files: Difference;
  readonly points: Difference;
  readonly logs: Difference;
  /** The first few of what is wrong. */
  readonly wrong: readonly string[];
}

export interface Difference {
  sent: number;
  lost: number;
  doubled: number;
  /** Stored, but never sent. */
  foreign: number;
}

/** What is wrong is named up to so many times. */
const NAMED = 20;

export function differs({ files, points, logs }: Comparison): boolean {
  return [files, points, logs].some(({ lost, doubled, foreign }) => lost + doubled + foreign > 0);
}

/**
 * Compares the files that a running server lists and gives out, and the points and entries in the stores that `env` names.
 * Sources and applications for which `isOther` holds are none of the comparison's.
 */
export async function compareStores(
  sent: Sent,
  url: string,
  env: Readonly<Record<string, string>>,
  isOther: (name: string) => boolean = () => false,
): Promise<Comparison> {
  const wrong: string[] = [];
  const files = await compareFiles(sent, url, wrong);
  const { kv, blobs, close } = await openRaw(readConfig(env), systemPlatform(systemClock));
  try {
    const points = new Tally(sent.points, METRICS.length, wrong, isOther);
    const logs = new Tally(sent.logs, 1, wrong, isOther);
    const addTo = {
      points: (segment: Uint8Array) => addPoints(points, segment),
      logs: (s: Uint8Array) => addLogs(logs, s),
    };
    // Runs first: what is moved meanwhile is there twice, and nobody moves anything but a server that runs.
    for (const kind of ["points", "logs"] as const) {
      for await (const page of kv.pages({ prefix: ["run", kind] })) {
        for (const { key, value } of page) {
          await intact(key, wrong, async () => {
            const record = fromBinary(RunRecordSchema, decodeValue(value).payload);
            for (const segment of await segmentsOfRun(blobs, key[4] as string, record)) addTo[kind](segment);
          });
        }
      }
      for await (const page of kv.pages({ prefix: [kind] })) {
        for (const { key, value } of page) await intact(key, wrong, () => addTo[kind](decodeValue(value).payload));
      }
    }
    return { files, points: points.difference(), logs: logs.difference(), wrong };
  } finally {
    close();
  }
}

function addLogs(tally: Tally, payload: Uint8Array): void {
  for (const { application, timestamp, message } of decodeLogSegment(payload)) {
    tally.add(application, 0, timestamp, (i) => messageOf(application, i) === message);
  }
}

function addPoints(tally: Tally, payload: Uint8Array): void {
  const segment = openPointSegment(payload);
  for (let s = 0; s < segment.seriesCount; s++) {
    const { source, metric } = segment.series(s);
    const { timestamps, values } = segment.columns(s);
    const m = METRICS.indexOf(metric as typeof METRICS[number]);
    timestamps.forEach((time, j) =>
      tally.add(source, m, time, (i) => values[j] === (metric === "index" ? i : doubleOf(i)))
    );
  }
}

async function intact(key: Deno.KvKey, wrong: string[], fn: () => Promise<void> | void): Promise<void> {
  try {
    await fn();
  } catch (error) {
    wrong.push(`${key.join("/")} cannot be read: ${error}`);
  }
}

/** How often each item of each series is there. */
class Tally {
  readonly #series = new Map<string, { series: Series; counts: Uint8Array }>();
  #foreign = 0;

  constructor(
    series: readonly Series[],
    readonly lanes: number,
    readonly wrong: string[],
    readonly isOther: (name: string) => boolean,
  ) {
    for (const s of series) this.#series.set(s.name, { series: s, counts: new Uint8Array(s.count * lanes) });
  }

  add(name: string, lane: number, timestamp: number, isRight: (index: number) => boolean): void {
    if (this.isOther(name)) return;
    const found = this.#series.get(name);
    const index = found ? (timestamp - found.series.begin) / found.series.step : -1;
    if (!found || !Number.isInteger(index) || index < 0 || index >= found.series.count || !isRight(index)) {
      this.#foreign++;
      note(this.wrong, `${name} at ${timestamp} was never sent so`);
      return;
    }
    found.counts[index * this.lanes + lane]++;
  }

  difference(): Difference {
    const difference = { sent: 0, lost: 0, doubled: 0, foreign: this.#foreign };
    for (const { series: { name, count }, counts } of this.#series.values()) {
      difference.sent += count;
      for (let i = 0; i < count; i++) {
        const own = counts.subarray(i * this.lanes, (i + 1) * this.lanes);
        if (own.includes(0)) {
          difference.lost++;
          note(this.wrong, `${name}: item ${i} of ${count} is lost`);
        } else if (own.some((n) => n > 1)) {
          difference.doubled++;
          note(this.wrong, `${name}: item ${i} of ${count} is there ${Math.max(...own)} times`);
        }
      }
    }
    return difference;
  }
}

async function compareFiles({ files }: Sent, url: string, wrong: string[]): Promise<Difference> {
  const sluice = createSluice({ url });
  const left = new Map(files.map((file) => [file.name, file]));
  const difference = { sent: files.length, lost: 0, doubled: 0, foreign: 0 };
  const seen = new Set<string>();
  for (let pageToken = "";;) {
    const page = await sluice.files.list({ pageSize: 1000, pageToken });
    for (const { fileId, fileName } of page.files) {
      const file = left.get(fileName);
      if (seen.has(fileName)) {
        difference.doubled++;
        note(wrong, `${fileName} is there more than once`);
      } else if (file === undefined) {
        difference.foreign++;
        note(wrong, `${fileName} was never sent`);
      } else if (await hashOf(`${url}/files/${fileId}`) !== file.sha256) {
        difference.lost++;
        note(wrong, `${fileName} has other bytes than were sent`);
      }
      seen.add(fileName);
    }
    pageToken = page.nextPageToken;
    if (pageToken === "") break;
  }
  for (const name of left.keys()) {
    if (seen.has(name)) continue;
    difference.lost++;
    note(wrong, `${name} is lost`);
  }
  return difference;
}

async function hashOf(url: string): Promise<string> {
  const response = await fetch(url);
  if (!response.ok) return `HTTP ${response.status}: ${await response.text()}`;
  const hash = createHash("sha256");
  for await (const bytes of response.body ?? []) hash.update(bytes);
  return hash.digest("hex");
}

function note(wrong: string[], text: string): void {
  if (wrong.length < NAMED) wrong.push(text);
}
