/**
 * A property of compaction: whatever was moved, or deleted, all questions are answered as by a plain scan.
 *
 * @module
 */
import { assert, assertEquals, assertGreater, assertLess } from "@std/assert";
import { DAY, HOUR, MINUTE } from "../../../limits.ts";
import { parseQuery } from "../../../services/log_language/parser.ts";
import { checkStore, type Finding } from "../../../store/check/check.ts";
import { toLogColumns } from "../../../store/format/log_columns.ts";
import { makeSeries } from "../../../store/format/series.ts";
import { LEVELS, type LogRecord, type LogSearch } from "../../../store/log_types.ts";
import type { MetricsQuery, Series } from "../../../store/types.ts";
import { NEVER, openTestStores, type TestStoresOptions } from "../../support/stores.ts";
import { Random } from "../format/random.ts";
import { question, randomRecords, recordText } from "./log_questions.ts";

type Sample = readonly [series: Series, timestamp: number, value: number];

const SERIES = ["cpu", "load", "mem"].flatMap((metric) =>
  ["a", "b", "c"].flatMap((source) => ["x", "y"].map((zone) => makeSeries(source, metric, { zone })))
);

/** A store whose content is known, and that can be asked about it. */
class Known {
  readonly samples: Sample[] = [];
  readonly records: LogRecord[] = [];

  constructor(
    readonly stores: Awaited<ReturnType<typeof openTestStores>>,
    readonly random: Random,
  ) {}

  async writePoints(): Promise<void> {
    const { stores, random } = this;
    const begin = this.#time();
    const own = Array.from(
      { length: 1 + random.below(60) },
      (_, i): Sample => [random.pick(SERIES), begin + i * random.below(3000), random.below(1000)],
    );
    const series = [...new Set(own.map(([s]) => s))];
    const writer = stores.points.writer("t");
    await writer.refused(series);
    await writer.write({
      series,
      timestamps: Float64Array.from(own, ([, t]) => t),
      ends: Int32Array.from(own, (_, i) => i + 1),
      seriesOf: Int32Array.from(own, ([s]) => series.indexOf(s)),
      values: Float64Array.from(own, ([, , v]) => v),
    });
    await writer.flush();
    this.samples.push(...own);
  }

  async writeLogs(): Promise<void> {
    const own = randomRecords(this.random, this.#time());
    const writer = this.stores.logs.writer("t");
    await writer.write(toLogColumns(own));
    await writer.flush();
    this.records.push(...own);
  }

  /** Mostly now, now and then some days ago. */
  #time(): number {
    const { stores: { clock }, random } = this;
    return clock.now() - (random.below(3) === 0 ? random.below(3 * DAY) : random.below(30 * MINUTE));
  }

  /** Deletes something, in the store and here. */
  async deleteSome(): Promise<void> {
    const { stores, random } = this;
    const from = random.pick([0, stores.clock.now() - random.below(2 * DAY)]);
    const range = { from, to: random.pick([Number.MAX_SAFE_INTEGER, from + random.below(6 * HOUR) + 1]) };
    if (random.below(2) === 0) {
      const source = random.pick([undefined, "a", "b"]);
      const metric = random.pick([undefined, "cpu"]);
      await stores.deletions.add("t", {
        ...{ kind: "points", ...range, tags: [["zone", "x"]] },
        ...source && { source },
        ...metric && { metric },
      });
      remove(this.samples, ([series, t]) =>
        series.tags[0][1] === "x" && (source ?? series.source) === series.source &&
        (metric ?? series.metric) === series.metric && t >= range.from && t < range.to);
    } else {
      const application = random.pick([undefined, "app0", "app1"]);
      await stores.deletions.add("t", { kind: "logs", ...range, ...application && { application } });
      remove(
        this.records,
        (record) =>
          (application ?? record.application) === record.application && record.timestamp >= range.from &&
          record.timestamp < range.to,
      );
    }
  }

  async verifySeries(): Promise<void> {
    const { series } = await this.stores.points.series("t", { tags: [] }, 100, undefined, NEVER);
    const listed = new Set(series.map(({ key }) => key));
    const oldest = this.stores.clock.now() - this.stores.retention;
    for (const [{ key }, t] of this.samples) {
      if (t >= oldest) assert(listed.has(key), `${key} has points, and is not listed`);
    }
  }

  async verifyPoints(): Promise<void> {
    const { stores, random } = this;
    const now = stores.clock.now();
    const from = random.pick([0, now - random.below(4 * DAY)]);
    const query: MetricsQuery = {
      ...random.below(2) === 0 && { metric: random.pick(["cpu", "load", "mem", "none"]) },
      ...random.below(2) === 0 && { source: random.pick(["a", "b", "c"]) },
      tags: random.below(3) === 0 ? [["zone", "y"]] : [],
      from,
      to: random.pick([now + HOUR, from + 1 + random.below(2 * DAY)]),
      step: random.pick([0, HOUR, DAY, 7 * MINUTE]),
      quantiles: random.pick([[], [0, 1]]),
    };
    const oldest = now - stores.retention;
    const { series, damaged } = await stores.points.query("t", query, NEVER);
    const seen = series.flatMap(({ series, buckets }) =>
      buckets.map(({ start, count, sum, min, max, quantiles }) =>
        JSON.stringify([series.key, start, count, sum, min, max, quantiles])
      )
    );
    const groups = new Map<string, number[]>();
    for (const [own, t, value] of this.samples) {
      const isMeant = (query.metric ?? own.metric) === own.metric && (query.source ?? own.source) === own.source &&
        (query.tags.length === 0 || own.tags[0][1] === "y") && t >= Math.max(query.from, oldest) && t < query.to;
      if (!isMeant) continue;
      const start = query.step === 0 ? query.from : t - t % query.step;
      const key = JSON.stringify([own.key, start]);
      groups.set(key, [...groups.get(key) ?? [], value]);
    }
    const expected = Array.from(groups, ([key, values]) => {
      const [min, max] = [Math.min(...values), Math.max(...values)];
      const sum = values.reduce((a, b) => a + b);
      const quantiles = query.quantiles.length === 0 ? [] : [min, max];
      return JSON.stringify([...JSON.parse(key), values.length, sum, min, max, quantiles]);
    });
    assertEquals([seen.sort(), damaged], [expected.sort(), 0]);
  }

  async verifyLogs(): Promise<void> {
    const { stores, random } = this;
    const now = stores.clock.now();
    const { query, holds } = question(random, now, 2);
    const where = parseQuery(query, now);
    const from = random.pick([0, now - random.below(4 * DAY)]);
    const to = random.pick([now + HOUR, from + random.below(2 * DAY)]);
    const oldest = now - stores.retention;
    const expected = this.records.filter((record) =>
      record.timestamp >= Math.max(from, oldest) && record.timestamp < to && holds(record)
    );
    const newestFirst = random.below(2) === 0;
    const found: string[] = [];
    let after: LogSearch["after"];
    for (let time = newestFirst ? Infinity : -Infinity;;) {
      const { hits, more, damaged } = await stores.logs.search("t", {
        ...{ where, from, to, newestFirst, after },
        limit: 100,
      }, NEVER);
      assertEquals(damaged, 0);
      for (const hit of hits) {
        assert(newestFirst ? hit.timestamp <= time : hit.timestamp >= time, "they are not in order");
        time = hit.timestamp;
        found.push(recordText(hit));
      }
      if (!more) break;
      after = hits.at(-1);
    }
    assertEquals(found.sort(), expected.map(recordText).sort(), query);
    const counts = await stores.logs.count("t", {
      ...{ where, from, to, limit: 100, step: random.pick([0, HOUR, DAY]) },
      facets: [{ type: "level" }],
    }, NEVER);
    assertEquals(counts.count, expected.length, query);
    const levels = counts.facets[0].values.map(({ value, count }) => [value, count]);
    const byLevel = LEVELS.map((name, level) => [name, expected.filter((record) => record.level === level).length])
      .filter(([, count]) => count !== 0);
    assertEquals(levels.sort(), byLevel.sort(), query);
  }
}

/** Takes out of a list what a test holds for. */
function remove<T>(list: T[], test: (one: T) => boolean): void {
  const kept = list.filter((one) => !test(one));
  list.length = 0;
  for (const one of kept) list.push(one);
}

/** Writes, moves, deletes and asks at random, so many times. */
export async function verifyCompaction(options: TestStoresOptions, rounds: number, seed: number): Promise<void> {
  using stores = await openTestStores(options);
  const random = new Random(seed);
  const known = new Known(stores, random);
  let runs = 0;
  for (let i = 0; i < rounds; i++) {
    for (let writes = random.below(4); writes > 0; writes--) {
      await known.writePoints();
      await known.writeLogs();
    }
    stores.clock.advance(random.pick([MINUTE, 10 * MINUTE, HOUR, 5 * HOUR]));
    // Questions are asked while segments are moved, too.
    const kept = random.below(2) === 0 ? stores.keepHouse() : undefined;
    for (let asked = 0; asked < 3; asked++) await Promise.all([known.verifyPoints(), known.verifyLogs()]);
    runs += (await kept)?.runs ?? 0;
    if (random.below(15) === 0) await known.deleteSome();
    await known.verifySeries();
  }
  assertGreater(runs, rounds / 8);
  // They are done after a while, and remembered.
  const deletions = await stores.deletions.list("t", 1000, undefined);
  assertGreater(deletions.length, rounds / 40);
  assertGreater(deletions.filter(({ doneAt }) => doneAt > 0).length, deletions.length - 5);
  const findings: Finding[] = [];
  const counts = await checkStore(stores, (finding) => findings.push(finding));
  assertEquals(findings, []);
  assertGreater(counts.runs, 4);
  // What is over for long is in one run a day, and some of what came late.
  stores.clock.advance(DAY);
  await stores.keepHouse();
  stores.clock.advance(2 * HOUR);
  await stores.keepHouse();
  const keys = await stores.keys();
  const days = keys.filter((key) => key.startsWith("run/points/")).map((key) => key.split("/")[3]);
  for (const own of Map.groupBy(days, (day) => day).values()) assertLess(own.length, 5);
  assertEquals(stores.damaged, []);
  // Nothing is left of what was replaced.
  const claimed = keys.filter((key) => key.startsWith("blob/")).map((key) => key.slice(5)).sort();
  assertEquals(claimed, keys.filter((key) => key.startsWith("run/")).map((key) => key.split("/")[4]).sort());
  const pieces: string[] = [];
  for await (const { blobId } of stores.blobs.list()) pieces.push(blobId);
  assertEquals(pieces.sort(), claimed);
  // All goes with its retention.
  stores.clock.advance(8 * DAY);
  await stores.keepHouse();
  assertEquals((await stores.keys()).filter((key) => /^(points|logs|logindex|run|blob)\//.test(key)), []);
}
