/**
 * The data set: what a thousand machines and a thousand services would have said in a month.
 *
 * @module
 */
import type { LogInit, PointInit } from "../../client/mod.ts";
import { DAY } from "../../limits.ts";
import { Random } from "../../tests/store/format/random.ts";

/** Sources; each has as many series as there are metrics. */
export const SOURCES = 1000;
export const METRICS = [
  "cpu",
  "load",
  "mem_used",
  "mem_free",
  "disk_read",
  "disk_write",
  "net_in",
  "net_out",
  "temp",
  "errors",
];
/** Sources of a rack. */
export const RACK = 100;
/** Streams of log entries. */
export const LOG_STREAMS = 1000;
/** A word that stands in a few entries only. */
export const RARE = "zirconium";
/** Entries that have it, of all. */
const RARE_ENTRIES = 20;

const rackOf = (source: number) => ({ rack: `r${Math.floor(source / RACK)}` });

/** Values that move as those of machines do: whole numbers, tenths, counters. */
function valuesOf(source: number, step: number, random: Random): Record<string, number> {
  const wave = Math.sin(step / 50 + source);
  const traffic = (step + 1) * (1000 + source) + random.below(500);
  return {
    cpu: Math.round((50 + 40 * wave + random.next() * 5) * 10) / 10,
    load: Math.round((2 + wave + random.next()) * 100) / 100,
    mem_used: 4_000_000_000 + random.below(1_000_000) * 4096,
    mem_free: 12_000_000_000 - random.below(1_000_000) * 4096,
    disk_read: traffic * 7,
    disk_write: traffic * 3,
    net_in: traffic,
    net_out: traffic * 2,
    temp: 40 + Math.round(10 * wave) + random.below(3),
    errors: Math.floor(step / 100) + (source % 7),
  };
}

/** The points of a day: those of every source, one step after the other. */
export function* pointsOfDay(begin: number, day: number, stepsPerDay: number): Generator<PointInit> {
  const random = new Random(day);
  for (let i = 0; i < stepsPerDay; i++) {
    const timestamp = begin + day * DAY + Math.floor(i * DAY / stepsPerDay);
    for (let source = 0; source < SOURCES; source++) {
      yield {
        source: `host-${source}`,
        timestamp: timestamp + source % 100,
        metrics: valuesOf(source, day * stepsPerDay + i, random),
        tags: rackOf(source),
      };
    }
  }
}

const LEVELS = ["debug", "info", "info", "info", "info", "info", "warn", "error"];
const PATHS = ["/", "/login", "/cart", "/search", "/api/v1/items", "/api/v1/users", "/health", "/static/app.js"];
const TEMPLATES: readonly ((random: Random) => string)[] = [
  (r) => `request done in ${r.below(900)} ms with status ${r.pick([200, 200, 200, 304, 404, 500])}`,
  (r) => `connection from 10.0.${r.below(256)}.${r.below(256)} accepted`,
  (r) => `user u${r.below(50_000)} signed in`,
  (r) => `cache miss for key item-${r.below(1_000_000)}`,
  (r) => `timeout while waiting for backend b${r.below(40)}, attempt ${r.below(5)}`,
  (r) => `job ${r.below(2 ** 31).toString(16)} finished`,
];

/** The entries of a day, of all streams, in the order of time. */
export function* logsOfDay(begin: number, day: number, perDay: number, days: number): Generator<LogInit> {
  const random = new Random(10_000 + day);
  const rareEvery = Math.floor(perDay * days / RARE_ENTRIES);
  for (let i = 0; i < perDay; i++) {
    const stream = random.below(LOG_STREAMS);
    const isRare = (day * perDay + i) % rareEvery === Math.floor(rareEvery / 2);
    yield {
      application: `app-${stream}`,
      level: random.pick(LEVELS),
      timestamp: begin + day * DAY + Math.floor(i * DAY / perDay),
      message: random.pick(TEMPLATES)(random) + (isRare ? ` ${RARE}` : ""),
      fields: { path: random.pick(PATHS), ms: String(random.below(2000)), host: `host-${random.below(SOURCES)}` },
    };
  }
}

/** Where the data begins: so many whole days before this one. */
export function beginOf(now: number, days: number): number {
  return Math.floor(now / DAY) * DAY - days * DAY;
}
