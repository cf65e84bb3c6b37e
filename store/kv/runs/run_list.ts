/**
 * Which runs there are of a day, and how to read a day while runs are made.
 *
 * A run takes the place of segments, or of other runs, in one atomic operation. A reader needs several, so it looks at the
 * list of the day's runs before and after it: each such operation adds a run or removes one, so if the list is the
 * same, nothing has moved while it read; else it reads again.
 *
 * @module
 */
import { Code, ConnectError } from "@connectrpc/connect";
import { unavailable } from "../../../errors.ts";
import { RunRecordSchema } from "../../../gen/sluice/store/v1/records_pb.ts";
import { DAY, HOUR, MAX_READ_TRIES } from "../../../limits.ts";
import { FORMAT } from "../../format/value.ts";
import type { Piece } from "../../types.ts";
import { hoursRange, type RunKind, runsRange } from "../keys.ts";
import type { Entry, KvClient } from "../kv.ts";
import { decodeRecord } from "../records.ts";
import { toPieces } from "../upload_claim.ts";

const HOURS_OF_DAY = DAY / HOUR;

/** A run: segments of one day in a blob. */
export interface Run {
  /** Of the blob. */
  readonly id: string;
  /** Days since the epoch. */
  readonly day: number;
  readonly pieces: readonly Piece[];
  /** Where the footer begins, and where the blob ends. */
  readonly footer: number;
  readonly size: number;
  /** ms since the epoch, of the earliest and of the latest item. */
  readonly minTime: number;
  readonly maxTime: number;
  readonly items: number;
  readonly isDay: boolean;
  /** As it stands in KV. */
  readonly entry: Entry;
}

/** The runs of some days, in the order of days. */
export interface RunList {
  readonly runs: readonly Run[];
  /** Records that cannot be read: what the runs hold is out of reach. */
  readonly damaged: number;
  /** Tells one list from another. */
  readonly version: string;
}

/** The runs of the days from `first` (inclusive) up to `end` (exclusive). */
export async function listRuns(
  kv: KvClient,
  kind: RunKind,
  tenant: string,
  first: number,
  end: number,
): Promise<RunList> {
  const runs: Run[] = [];
  const ids: string[] = [];
  let damaged = 0;
  for await (const page of kv.pages(runsRange(kind, tenant, first, end))) {
    for (const entry of page) {
      const [, , , day, id] = entry.key as [string, RunKind, string, number, string];
      ids.push(id);
      const run = kv.decodeOrSkip(entry, () => {
        const record = decodeRecord(RunRecordSchema, FORMAT.run, kv.clock.now(), entry.value);
        if (record === undefined) return "expired";
        const pieces = toPieces(record);
        return {
          ...{ id, day, pieces, entry, isDay: record.isDay },
          footer: Number(record.footer),
          size: pieces.reduce((sum, { length }) => sum + length, 0),
          minTime: Number(record.minTime),
          maxTime: Number(record.maxTime),
          items: Number(record.items),
        };
      });
      if (run === undefined) damaged++;
      else if (run !== "expired") runs.push(run);
    }
  }
  return { runs, damaged, version: ids.join() };
}

/**
 * The days of a range in which there is anything, in order: from `first` (inclusive) up to `end` (exclusive). With
 * `newestFirst` from the last one down.
 */
export async function* daysWith(
  kv: KvClient,
  kind: RunKind,
  tenant: string,
  first: number,
  end: number,
  newestFirst = false,
): AsyncGenerator<number> {
  const segments = kind === "points" ? "points" : "logindex";
  const reverse = newestFirst;
  while (first < end) {
    let day: number | undefined;
    // Segments before runs: what moves between the two looks is seen by one of them.
    const found = [
      await firstKey(kv, hoursRange(segments, tenant, first * HOURS_OF_DAY, end * HOURS_OF_DAY), reverse),
      await firstKey(kv, runsRange(kind, tenant, first, end), reverse),
    ];
    for (const key of found) {
      if (key === undefined) continue;
      const own = key[0] === "run" ? key[3] as number : Math.floor(key[2] as number / HOURS_OF_DAY);
      if (day === undefined || (newestFirst ? own > day : own < day)) day = own;
    }
    if (day === undefined) return;
    yield day;
    if (newestFirst) end = day;
    else first = day + 1;
  }
}

async function firstKey(
  kv: KvClient,
  selector: Deno.KvListSelector,
  reverse: boolean,
): Promise<Deno.KvKey | undefined> {
  for await (const [entry] of kv.pages(selector, { reverse, batch: 1 })) return entry.key;
}

/**
 * Reads what the runs of a day, and segments beside them, hold, or some of it: again, if any has moved meanwhile. `read` must have no
 * effect but its result. It throws DATA_LOSS where something of a run is missing; called again with `isCertain`, it knows
 * that this is damage, and that the run was not replaced.
 *
 * @throws {ConnectError} UNAVAILABLE if it moves each time.
 */
export async function readStable<T>(
  list: () => Promise<RunList>,
  read: (list: RunList, isCertain: boolean) => Promise<T>,
): Promise<T> {
  let before = await list();
  let isCertain = false;
  for (let tries = 1; tries <= MAX_READ_TRIES; tries++) {
    let result: { readonly value: T } | undefined;
    let failure: unknown;
    try {
      result = { value: await read(before, isCertain) };
    } catch (error) {
      // A run that was replaced is removed.
      if (!(error instanceof ConnectError && error.code === Code.DataLoss)) throw error;
      failure = error;
    }
    const after = await list();
    if (after.version === before.version) {
      if (result !== undefined) return result.value;
      if (isCertain) throw failure;
      isCertain = true;
    } else isCertain = false;
    before = after;
  }
  throw unavailable("Cannot read as what is stored is being moved: ask again");
}
