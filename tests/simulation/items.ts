/**
 * What clients send: points and log entries that say which stream and place they come from, good ones and bad ones.
 *
 * @module
 */
import type { DecodedLogs } from "../../decode/logs.ts";
import type { DecodedPoints } from "../../decode/points.ts";
import { HOUR } from "../../limits.ts";
import type { LogRule } from "../../services/log_rules.ts";
import { Random } from "./random.ts";

/** What becomes of an item. */
export type Fate = "kept" | "rejected" | "filtered";

/** An application whose entries the rules drop. */
const NOISE = "noise";
export const LOG_RULES: readonly LogRule[] = [{ action: "drop", application: NOISE }];

const WORDS = ["connection", "closed", "by", "peer", "retry", "überlauf", "日本", "x=1", "timeout", "a", "user", "42"];
const LEVELS = ["debug", "INFO", "Warning", "error", "fatal"];

/** The items of one stream: equal seeds give equal items. */
export abstract class Items<B> {
  protected readonly random: Random;
  readonly fates: Fate[] = [];
  readonly timestamps: number[] = [];

  /** @param now ms since the epoch: when the stream begins. */
  constructor(readonly name: string, readonly count: number, seed: number, now: number) {
    const random = this.random = new Random(seed);
    const badness = random.pick([0, 0, 0.05, 0.3]);
    const span = random.pick([0, 1000, HOUR, 5 * HOUR]);
    for (let i = 0; i < count; i++) {
      this.fates.push(random.chance(badness) ? random.pick(["rejected", "filtered"]) : "kept");
      this.timestamps.push(now - random.between(0, span));
    }
  }

  countOf(fate: Fate): number {
    return this.fates.filter((own) => own === fate).length;
  }

  /** The items from `from` up to `to`. */
  abstract batch(from: number, to: number): B;

  /** What must be stored of the first `count` items, one text for each part. */
  abstract expected(count: number): string[];
}

export class Points extends Items<DecodedPoints> {
  readonly #metrics: number;

  constructor(name: string, count: number, seed: number, now: number) {
    super(name, count, seed, now);
    this.#metrics = this.random.pick([1, 1, 2, 5]);
    // There are no rules for points.
    for (const [i, fate] of this.fates.entries()) if (fate === "filtered") this.fates[i] = "rejected";
  }

  batch(from: number, to: number): DecodedPoints {
    const metrics = Array.from({ length: this.#metrics }, (_, m) => `m${m}`);
    const shapes = [0, 1, 2].map((tag) => ({ source: this.name, metrics, tags: [["tag", `t${tag}`]] as const }));
    const length = to - from;
    const values = new Float64Array(length * this.#metrics);
    for (let i = 0; i < length; i++) {
      values.fill(this.fates[from + i] === "kept" ? from + i : NaN, i * this.#metrics, (i + 1) * this.#metrics);
    }
    return {
      length,
      shapes,
      shapeOf: Int32Array.from({ length }, (_, i) => (from + i) % 3),
      timestamps: Float64Array.from(this.timestamps.slice(from, to)),
      values,
    };
  }

  expected(count: number): string[] {
    const parts: string[] = [];
    for (let i = 0; i < count; i++) {
      if (this.fates[i] !== "kept") continue;
      for (let m = 0; m < this.#metrics; m++) {
        parts.push(pointPart(this.name, `m${m}`, `t${i % 3}`, this.timestamps[i], i));
      }
    }
    return parts;
  }
}

export function pointPart(source: string, metric: string, tag: string, timestamp: number, value: number): string {
  return `${source} ${metric} ${tag} ${timestamp} ${value}`;
}

export class Logs extends Items<DecodedLogs> {
  readonly #messages: string[];

  constructor(name: string, count: number, seed: number, now: number) {
    super(name, count, seed, now);
    const { random } = this;
    this.#messages = Array.from({ length: count }, (_, i) => {
      const words = Array.from({ length: random.between(0, 6) }, () => random.pick(WORDS));
      return [name, i, ...words].join(" ");
    });
  }

  batch(from: number, to: number): DecodedLogs {
    const encoder = new TextEncoder();
    // Each level twice: of an application that is kept, and of the other; and one level that is none.
    const shapes = [this.name, NOISE].flatMap((application) =>
      [...LEVELS, "loud"].map((level) => ({ application, level, keys: ["number"] }))
    );
    const count = to - from;
    const shapeOf = new Int32Array(count), firsts = new Int32Array(count);
    const ends: number[] = [], units: number[] = [], texts: Uint8Array[] = [];
    let end = 0;
    for (let i = from; i < to; i++) {
      const fate = this.fates[i];
      const level = fate === "rejected" ? LEVELS.length : i % LEVELS.length;
      shapeOf[i - from] = level + (fate === "filtered" ? LEVELS.length + 1 : 0);
      firsts[i - from] = ends.length;
      for (const text of [this.#messages[i], String(i)]) {
        const bytes = encoder.encode(text);
        texts.push(bytes);
        ends.push(end += bytes.length);
        units.push(text.length);
      }
    }
    const joined = new Uint8Array(end);
    texts.forEach((bytes, t) => joined.set(bytes, t === 0 ? 0 : ends[t - 1]));
    return {
      shapes,
      shapeOf,
      timestamps: Float64Array.from(this.timestamps.slice(from, to)),
      firsts,
      texts: joined,
      ends: Int32Array.from(ends),
      units: Int32Array.from(units),
    };
  }

  expected(count: number): string[] {
    const parts: string[] = [];
    for (let i = 0; i < count; i++) {
      if (this.fates[i] === "kept") parts.push(logPart(this.name, this.timestamps[i], this.#messages[i], String(i)));
    }
    return parts;
  }
}

export function logPart(application: string, timestamp: number, message: string, number: string | undefined): string {
  return `${application} ${timestamp} ${number} ${message}`;
}
