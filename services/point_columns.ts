/**
 * Validates data points and lays them out in columns.
 *
 * @module
 */
import type { DataPoint } from "../gen/sluice/v1/data_collection_pb.ts";
import {
  MAX_METRICS,
  MAX_NAME_BYTES,
  MAX_QUOTED_CHARACTERS,
  MAX_SERIES_BYTES,
  MAX_TAG_VALUE_BYTES,
  MAX_TAGS,
} from "../limits.ts";
import { seriesKey, sortTags } from "../store/format/series.ts";
import type { PointBatch, Series } from "../store/types.ts";
import { type Fault, invalid } from "./tally.ts";
import { fitsUtf8, utf8Length } from "./text.ts";
import { type TimeBounds, timestampFault } from "./time_bounds.ts";

/** Collects the valid points of a batch. */
export class PointColumns {
  readonly #series: Series[] = [];
  readonly #places = new Map<string, number>();
  readonly #timestamps: number[] = [];
  readonly #ends: number[] = [];
  readonly #seriesOf: number[] = [];
  readonly #values: number[] = [];
  /** Index in the stream of each point. */
  readonly indexes: number[] = [];

  constructor(private readonly bounds: TimeBounds) {}

  get batch(): PointBatch {
    return {
      series: this.#series,
      timestamps: this.#timestamps,
      ends: this.#ends,
      seriesOf: this.#seriesOf,
      values: this.#values,
    };
  }

  /** Takes a point, or says why not. */
  add(index: number, point: DataPoint): Fault | undefined {
    const timestamp = Number(point.timestamp);
    const fault = pointFault(point) ?? timestampFault(timestamp, this.bounds);
    if (fault) return fault;
    const tags = sortTags(point.tags);
    for (const metric in point.metrics) {
      const key = seriesKey(point.source, metric, tags);
      let place = this.#places.get(key);
      if (place === undefined) {
        place = this.#series.push({ source: point.source, metric, tags, key }) - 1;
        this.#places.set(key, place);
      }
      this.#seriesOf.push(place);
      this.#values.push(point.metrics[metric]);
    }
    this.#timestamps.push(timestamp);
    this.#ends.push(this.#values.length);
    this.indexes.push(index);
  }

  /** The same without the points that have a sample of a refused series; `onRefused` is told which. */
  without(refused: ReadonlySet<Series>, onRefused: (index: number, series: Series) => void): PointBatch {
    if (refused.size === 0) return this.batch;
    const kept: PointBatch & { ends: number[]; timestamps: number[]; seriesOf: number[]; values: number[] } = {
      series: this.#series,
      timestamps: [],
      ends: [],
      seriesOf: [],
      values: [],
    };
    let from = 0;
    for (const [i, end] of this.#ends.entries()) {
      const seriesOf = this.#seriesOf.slice(from, end);
      const wrong = seriesOf.find((s) => refused.has(this.#series[s]));
      if (wrong !== undefined) {
        onRefused(this.indexes[i], this.#series[wrong]);
      } else {
        kept.seriesOf.push(...seriesOf);
        kept.values.push(...this.#values.slice(from, end));
        kept.timestamps.push(this.#timestamps[i]);
        kept.ends.push(kept.values.length);
      }
      from = end;
    }
    return kept;
  }
}

function pointFault(point: DataPoint): Fault | undefined {
  const { source, metrics, tags } = point;
  if (source === "") return invalid("source", "must not be empty");
  const sourceFault = nameFault("source", source);
  if (sourceFault) return sourceFault;

  let longestMetric = 0;
  let count = 0;
  for (const metric in metrics) {
    count++;
    if (metric === "") return invalid("metrics", "must not have an empty name");
    const fault = nameFault("metrics", metric);
    if (fault) return fault;
    const value = metrics[metric];
    if (!Number.isFinite(value)) {
      return invalid(`metrics[${metric}]`, `must be a finite number: current value is ${value}`);
    }
    longestMetric = Math.max(longestMetric, metric.length);
  }
  if (count === 0) return invalid("metrics", "must have at least one value");
  if (count > MAX_METRICS) return invalid("metrics", `must be at most ${MAX_METRICS}: there are ${count}`);

  let tagLength = 0;
  count = 0;
  for (const key in tags) {
    count++;
    if (key === "") return invalid("tags", "must not have an empty key");
    const value = tags[key];
    const fault = nameFault("tags", key) ?? textFault(`tags[${key}]`, value, MAX_TAG_VALUE_BYTES);
    if (fault) return fault;
    tagLength += key.length + value.length;
  }
  if (count > MAX_TAGS) return invalid("tags", `must be at most ${MAX_TAGS}: there are ${count}`);

  // A UTF-16 code unit takes one to three bytes: what is far from the limit is not encoded only to be counted.
  const length = source.length + longestMetric + tagLength;
  if (length * 3 > MAX_SERIES_BYTES && seriesBytes(point) > MAX_SERIES_BYTES) {
    return invalid("tags", `must, with source and metric, have at most ${MAX_SERIES_BYTES} bytes`);
  }
}

function nameFault(field: string, name: string): Fault | undefined {
  return textFault(field, name, MAX_NAME_BYTES);
}

function textFault(field: string, text: string, limit: number): Fault | undefined {
  if (!fitsUtf8(text, limit)) {
    return invalid(shortened(field), `must have at most ${limit} bytes: it has ${utf8Length(text)}`);
  }
  if (!text.isWellFormed()) return invalid(shortened(field), "must be valid Unicode");
}

/** Bytes of source, tags and the longest metric's name in UTF-8. */
function seriesBytes({ source, metrics, tags }: DataPoint): number {
  let bytes = utf8Length(source);
  for (const key in tags) bytes += utf8Length(key) + utf8Length(tags[key]);
  let longest = 0;
  for (const metric in metrics) longest = Math.max(longest, utf8Length(metric));
  return bytes + longest;
}

/** A field's name for a rejection: what is too long must not be repeated whole. */
function shortened(field: string): string {
  return field.length > MAX_QUOTED_CHARACTERS ? `${field.slice(0, MAX_QUOTED_CHARACTERS).toWellFormed()}…` : field;
}
