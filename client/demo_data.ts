/**
 * What the demo sends: made up, but the same for the same run name, and with its own right answers.
 *
 * @module
 */
import type { LogInit, PointInit } from "./mod.ts";

const FILE_BYTES = 10 * 1024 * 1024;
const POINTS = 10_000;
const LOGS = 10_000;
const DAY = 24 * 60 * 60 * 1000;

/** A repeatable source of numbers from 0 to 1 (mulberry32), begun by a text. */
export function random(seed: string): () => number {
  let state = 0;
  for (const char of seed) state = Math.imul(state ^ char.charCodeAt(0), 0x01000193);
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** 10 MiB of CSV. */
export function makeFile(run: string): Uint8Array {
  const next = random(`${run} file`);
  const out = new Uint8Array(FILE_BYTES).fill(0x0a);
  const encoder = new TextEncoder();
  let at = encoder.encodeInto("row,run,value,share\n", out).written;
  for (let row = 0;; row++) {
    const line = `${row},${run},${Math.floor(next() * 1e9)},${next().toFixed(6)}\n`;
    // What is left over stays empty lines.
    if (at + line.length > out.length) return out;
    at += encoder.encodeInto(line, out.subarray(at)).written;
  }
}

/** 10,000 points, some of them bad, and what a server should make of them. */
export interface DemoPoints {
  points: PointInit[];
  /** Sequence numbers of the bad ones. */
  bad: number[];
  /** Values of `latency_ms` of the good ones, by the tag `host`. */
  latencies: Map<string, number[]>;
  source: string;
  from: number;
  /** Exclusive. */
  to: number;
}

/** In which ways a point can be bad; each is used for three points. */
const BAD: readonly ((point: PointInit) => PointInit)[] = [
  (point) => ({ ...point, source: "" }),
  (point) => ({ ...point, metrics: {} }),
  (point) => ({ ...point, metrics: { ...point.metrics, latency_ms: NaN } }),
  (point) => ({ ...point, timestamp: Date.UTC(1976, 0, 1) }),
  (point) => ({ ...point, timestamp: Date.now() + 10 * DAY }),
];

/** Points of four hosts, ten a second up to now. */
export function makePoints(run: string): DemoPoints {
  const next = random(`${run} points`);
  const source = `demo-${run}`;
  const to = Date.now();
  const from = to - POINTS * 100;
  const points: PointInit[] = [];
  const bad: number[] = [];
  const latencies = new Map<string, number[]>();
  const everySo = Math.floor(POINTS / (BAD.length * 3));
  for (let i = 0; i < POINTS; i++) {
    const host = `web-${1 + i % 4}`;
    // Latencies have a long tail, which is what quantiles are for.
    const latency = 20 * Math.exp(Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next()));
    const point: PointInit = {
      source,
      timestamp: from + i * 100,
      metrics: { latency_ms: latency, cpu: next() },
      tags: { host, zone: i % 2 === 0 ? "a" : "b" },
    };
    const kind = Math.floor(i / everySo);
    if (i % everySo === 100 && kind < BAD.length * 3) {
      bad.push(i);
      points.push(BAD[kind % BAD.length](point));
      continue;
    }
    points.push(point);
    if (!latencies.has(host)) latencies.set(host, []);
    latencies.get(host)!.push(latency);
  }
  return { points, bad, latencies, source, from, to };
}

/** 10,000 log entries. */
export interface DemoLogs {
  entries: LogInit[];
  from: number;
  /** Exclusive. */
  to: number;
}

const LEVELS = ["debug", "info", "info", "INFO", "Information", "notice", "warn", "WARNING", "error", "fatal"];
const APPLICATIONS = ["shop", "billing", "auth"];

/** Log entries of three applications, whose levels are spelt as people spell them. */
export function makeLogs(run: string): DemoLogs {
  const next = random(`${run} logs`);
  const to = Date.now();
  const from = to - LOGS * 100;
  const entries = Array.from({ length: LOGS }, (_, i): LogInit => {
    const order = Math.floor(next() * 1e6);
    return {
      application: APPLICATIONS[Math.floor(next() * APPLICATIONS.length)],
      level: LEVELS[Math.floor(next() * LEVELS.length)],
      timestamp: from + i * 100,
      message: `order ${order} ${next() < 0.05 ? "refused by the bank" : "paid"} after ${Math.floor(next() * 900)} ms`,
      fields: { run, order: `${order}` },
    };
  });
  return { entries, from, to };
}

/** The two values that a quantile of `values` may be between: those next to its rank, which may be counted two ways. */
export function quantileBounds(values: readonly number[], q: number): [number, number] {
  const sorted = values.toSorted((a, b) => a - b);
  const rank = q * (sorted.length - 1);
  return [sorted[Math.floor(rank)], sorted[Math.min(sorted.length - 1, Math.ceil(rank) + 1)]];
}
