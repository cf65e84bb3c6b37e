/**
 * Validates log entries, normalises their levels, and leaves out those that are refused or that the rules drop.
 *
 * @module
 */
import type { DecodedLogs, LogEntryShape } from "../decode/logs.ts";
import { MAX_LOG_FIELD_BYTES, MAX_LOG_FIELDS, MAX_LOG_MESSAGE_BYTES, MAX_NAME_BYTES } from "../limits.ts";
import { decodeUtf8 } from "../store/format/byte_reader.ts";
import { joinLogs, type LogRange } from "../store/format/log_columns.ts";
import { LEVELS, type LogBatch, type LogShape } from "../store/log_types.ts";
import { parseLevel } from "./log_level.ts";
import { type LogRule, type Verdict, verdict } from "./log_rules.ts";
import { type Fault, invalid } from "./tally.ts";
import { fitsUtf8, quoted, utf8Length } from "./text.ts";
import { type TimeBounds, timestampFault } from "./time_bounds.ts";

/** What is known of all entries of a shape. A fault is reported if nothing before it is wrong with the entry. */
interface JudgedShape {
  readonly shape: LogShape;
  readonly applicationFault: Fault | undefined;
  readonly keysFault: Fault | undefined;
  readonly levelFault: Fault | undefined;
  readonly hasFault: boolean;
  /** Bytes of the keys in UTF-8. */
  readonly keyBytes: number;
  readonly verdict: Verdict;
}

/** What is left of a batch. */
export interface KeptLogs {
  /** Without an entry if nothing is. */
  readonly batch: LogBatch;
  /** Place in the batch that they came in of each entry; undefined if all are left. */
  readonly kept: Int32Array | undefined;
  /** How many entries the rules dropped. */
  readonly filtered: number;
}

/** Validates batches. What it finds out about a shape holds for as long as a decoder knows the shape. */
export class LogValidator {
  readonly #judged = new WeakMap<LogEntryShape, JudgedShape>();

  constructor(private readonly rules: readonly LogRule[]) {}

  /** The entries that are good and that the rules keep; `reject` is told about the others, by their place in the batch. */
  validate(batch: DecodedLogs, bounds: TimeBounds, reject: (place: number, fault: Fault) => void): KeptLogs {
    const { shapeOf, timestamps, firsts, texts, ends } = batch;
    const judged = batch.shapes.map((shape) => this.#judge(shape));
    const keptBatch = { ...batch, shapes: judged.map(({ shape }) => shape) };
    const ranges: LogRange[] = [];
    const count = timestamps.length;
    let first = 0;
    let filtered = 0;
    let textsFrom = 0;
    for (let i = 0; i < count; i++) {
      const own = judged[shapeOf[i]];
      const messageEnd = ends[firsts[i]];
      const textsEnd = ends[(i + 1 < count ? firsts[i + 1] : ends.length) - 1];
      const messageBytes = messageEnd - textsFrom;
      const fieldBytes = own.keyBytes + textsEnd - messageEnd;
      let isKept = false;
      if (
        own.hasFault || !(timestamps[i] >= bounds.oldest && timestamps[i] <= bounds.newest) ||
        messageBytes > MAX_LOG_MESSAGE_BYTES || fieldBytes > MAX_LOG_FIELD_BYTES
      ) {
        const fault = own.applicationFault ?? timestampFault(timestamps[i], bounds) ?? messageFault(messageBytes) ??
          own.keysFault ?? fieldsFault(fieldBytes) ?? own.levelFault;
        if (fault) reject(i, fault);
      } else {
        const { verdict } = own;
        isKept = typeof verdict === "boolean" ? verdict : verdict(decodeUtf8(texts.subarray(textsFrom, messageEnd)));
        if (!isKept) filtered++;
      }
      if (!isKept) {
        if (i > first) ranges.push({ batch: keptBatch, first, end: i });
        first = i + 1;
      }
      textsFrom = textsEnd;
    }
    if (count > first) ranges.push({ batch: keptBatch, first, end: count });
    if (ranges.length === 0) ranges.push({ batch: keptBatch, first: 0, end: 0 });
    const left = joinLogs(ranges);
    return { batch: left, kept: left === keptBatch ? undefined : placesOf(ranges, left.timestamps.length), filtered };
  }

  #judge(sent: LogEntryShape): JudgedShape {
    let judged = this.#judged.get(sent);
    if (judged === undefined) this.#judged.set(sent, judged = judge(sent, this.rules));
    return judged;
  }
}

function placesOf(ranges: readonly LogRange[], count: number): Int32Array {
  const places = new Int32Array(count);
  let at = 0;
  for (const { first, end } of ranges) for (let i = first; i < end; i++) places[at++] = i;
  return places;
}

function judge({ application, level: sentLevel, keys }: LogEntryShape, rules: readonly LogRule[]): JudgedShape {
  const level = parseLevel(sentLevel);
  const faults = {
    applicationFault: applicationFault(application),
    keysFault: keysFault(keys),
    levelFault: level === undefined ? levelFault(sentLevel) : undefined,
  };
  return {
    shape: { application, level: level ?? 0, keys },
    ...faults,
    hasFault: Object.values(faults).some((fault) => fault !== undefined),
    keyBytes: keys.reduce((sum, key) => sum + utf8Length(key), 0),
    verdict: level === undefined || verdict(rules, application, level),
  };
}

function applicationFault(application: string): Fault | undefined {
  if (application === "") return invalid("application", "must not be empty");
  if (!fitsUtf8(application, MAX_NAME_BYTES)) {
    return invalid("application", `must have at most ${MAX_NAME_BYTES} bytes`);
  }
}

function levelFault(level: string): Fault {
  const levels = LEVELS.join(", ");
  return invalid("level", `must be one of ${levels}, or as usually written: current value is ${quoted(level)}`);
}

function messageFault(bytes: number): Fault | undefined {
  if (bytes <= MAX_LOG_MESSAGE_BYTES) return undefined;
  return invalid("message", `must have at most ${MAX_LOG_MESSAGE_BYTES} bytes: it has ${bytes}`);
}

function keysFault(keys: readonly string[]): Fault | undefined {
  for (const key of keys) {
    if (key === "") return invalid("fields", "must not have an empty key");
    if (!fitsUtf8(key, MAX_NAME_BYTES)) return invalid("fields", `a key must have at most ${MAX_NAME_BYTES} bytes`);
  }
  if (keys.length > MAX_LOG_FIELDS) {
    return invalid("fields", `must be at most ${MAX_LOG_FIELDS}: there are ${keys.length}`);
  }
}

function fieldsFault(bytes: number): Fault | undefined {
  if (bytes <= MAX_LOG_FIELD_BYTES) return undefined;
  return invalid("fields", `must have at most ${MAX_LOG_FIELD_BYTES} bytes: they have ${bytes}`);
}
