/**
 * Validates data points: what their shapes have in common once for each shape, the rest in columns.
 *
 * @module
 */
import type { DecodedPoints, PointShape } from "../decode/points.ts";
import {
  MAX_METRICS,
  MAX_NAME_BYTES,
  MAX_QUOTED_CHARACTERS,
  MAX_SERIES_BYTES,
  MAX_TAG_VALUE_BYTES,
  MAX_TAGS,
} from "../limits.ts";
import { seriesKey, SeriesList, sortTags } from "../store/format/series.ts";
import type { PointBatch, Series } from "../store/types.ts";
import { type Fault, invalid } from "./tally.ts";
import { fitsUtf8, utf8Length } from "./text.ts";
import { type TimeBounds, timestampFault } from "./time_bounds.ts";

/** Series of a shape, one for each metric, or why none of its points is accepted. */
type Judgement = { readonly series: readonly Series[]; readonly fault?: undefined } | { readonly fault: Fault };

/** Of shapes that decoders hold, so that each is judged once. */
const judgements = new WeakMap<PointShape, Judgement>();

/** The valid points of a batch. */
export class PointColumns {
  readonly batch: PointBatch;
  /** Place in the batch that they came in of each valid point; undefined if all are. */
  readonly kept: Int32Array | undefined;
  readonly #list = new SeriesList();
  /** Index of each point in the batch that they came in. */
  readonly #indexes: Int32Array;

  /** `onFault` is told which points of the batch are refused, and why. */
  constructor(points: DecodedPoints, bounds: TimeBounds, onFault: (index: number, fault: Fault) => void) {
    const { shapes, shapeOf, timestamps, values } = points;
    const judged = shapes.map(judge);
    /** Places of each shape's series, once it has been seen. */
    const places: (readonly number[] | undefined)[] = new Array(shapes.length);
    const indexes = new Int32Array(points.length);
    const kept = columns(points.length, values.length);
    let count = 0;
    let samples = 0;
    let from = 0;
    for (let i = 0; i < points.length; i++) {
      const s = shapeOf[i];
      const first = from;
      from += shapes[s].metrics.length;
      const timestamp = timestamps[i];
      const fault = judged[s].fault ?? valueFault(values, first, from, shapes[s]) ??
        (timestamp >= bounds.oldest && timestamp <= bounds.newest ? undefined : timestampFault(timestamp, bounds));
      if (fault !== undefined) {
        onFault(i, fault);
        continue;
      }
      const own = places[s] ??= this.#placesOf(judged[s]);
      for (let j = first; j < from; j++) {
        kept.seriesOf[samples] = own[j - first];
        kept.values[samples++] = values[j];
      }
      kept.timestamps[count] = timestamp;
      kept.ends[count] = samples;
      indexes[count++] = i;
    }
    this.#indexes = indexes;
    this.batch = cut(this.#list.series, kept, count, samples);
    this.kept = count === points.length ? undefined : indexes.subarray(0, count);
  }

  /** `batch` and `kept` without the points that have a sample of a refused series; `onRefused` is told which. */
  without(
    refused: ReadonlySet<Series>,
    onRefused: (index: number, series: Series) => void,
  ): { readonly batch: PointBatch; readonly kept: Int32Array | undefined } {
    if (refused.size === 0) return this;
    const { timestamps, ends, seriesOf, values } = this.batch;
    const kept = columns(ends.length, values.length);
    const places = new Int32Array(ends.length);
    let count = 0;
    let samples = 0;
    for (let i = 0, from = 0; i < ends.length; from = ends[i++]) {
      const wrong = seriesOf.subarray(from, ends[i]).find((s) => refused.has(this.#list.series[s]));
      if (wrong !== undefined) {
        onRefused(this.#indexes[i], this.#list.series[wrong]);
        continue;
      }
      kept.seriesOf.set(seriesOf.subarray(from, ends[i]), samples);
      kept.values.set(values.subarray(from, ends[i]), samples);
      samples += ends[i] - from;
      kept.timestamps[count] = timestamps[i];
      places[count] = this.#indexes[i];
      kept.ends[count++] = samples;
    }
    return { batch: cut(this.#list.series, kept, count, samples), kept: places.subarray(0, count) };
  }

  /** Where the series of a shape stand in the batch; several shapes may have the same. */
  #placesOf(judgement: Judgement): number[] {
    if (judgement.fault) return [];
    return judgement.series.map((series) => this.#list.place(series));
  }
}

type Columns = Omit<PointBatch, "series">;

function columns(points: number, samples: number): Columns {
  return {
    timestamps: new Float64Array(points),
    ends: new Int32Array(points),
    seriesOf: new Int32Array(samples),
    values: new Float64Array(samples),
  };
}

/** The batch that columns hold from their beginning. */
function cut(series: readonly Series[], columns: Columns, points: number, samples: number): PointBatch {
  return {
    series,
    timestamps: columns.timestamps.subarray(0, points),
    ends: columns.ends.subarray(0, points),
    seriesOf: columns.seriesOf.subarray(0, samples),
    values: columns.values.subarray(0, samples),
  };
}

function judge(shape: PointShape): Judgement {
  let judgement = judgements.get(shape);
  if (judgement === undefined) {
    const fault = shapeFault(shape);
    judgement = fault ? { fault } : { series: seriesOf(shape) };
    judgements.set(shape, judgement);
  }
  return judgement;
}

function seriesOf({ source, metrics, tags }: PointShape): Series[] {
  const sorted = sortTags(tags);
  return metrics.map((metric) => ({ source, metric, tags: sorted, key: seriesKey(source, metric, sorted) }));
}

function valueFault(values: Float64Array, first: number, end: number, { metrics }: PointShape): Fault | undefined {
  for (let j = first; j < end; j++) {
    if (Number.isFinite(values[j])) continue;
    return invalid(
      shortened(`metrics[${metrics[j - first]}]`),
      `must be a finite number: current value is ${values[j]}`,
    );
  }
}

function shapeFault({ source, metrics, tags }: PointShape): Fault | undefined {
  if (source === "") return invalid("source", "must not be empty");
  const sourceFault = textFault("source", source, MAX_NAME_BYTES);
  if (sourceFault) return sourceFault;

  let longestMetric = 0;
  for (const metric of metrics) {
    if (metric === "") return invalid("metrics", "must not have an empty name");
    const fault = textFault("metrics", metric, MAX_NAME_BYTES);
    if (fault) return fault;
    longestMetric = Math.max(longestMetric, utf8Length(metric));
  }
  if (metrics.length === 0) return invalid("metrics", "must have at least one value");
  if (metrics.length > MAX_METRICS) {
    return invalid("metrics", `must be at most ${MAX_METRICS}: there are ${metrics.length}`);
  }

  let tagBytes = 0;
  for (const [key, value] of tags) {
    if (key === "") return invalid("tags", "must not have an empty key");
    const fault = textFault("tags", key, MAX_NAME_BYTES) ?? textFault(`tags[${key}]`, value, MAX_TAG_VALUE_BYTES);
    if (fault) return fault;
    tagBytes += utf8Length(key) + utf8Length(value);
  }
  if (tags.length > MAX_TAGS) return invalid("tags", `must be at most ${MAX_TAGS}: there are ${tags.length}`);
  if (utf8Length(source) + longestMetric + tagBytes > MAX_SERIES_BYTES) {
    return invalid("tags", `must, with source and metric, have at most ${MAX_SERIES_BYTES} bytes`);
  }
}

function textFault(field: string, text: string, limit: number): Fault | undefined {
  if (fitsUtf8(text, limit)) return undefined;
  return invalid(shortened(field), `must have at most ${limit} bytes: it has ${utf8Length(text)}`);
}

/** A field's name for a rejection: what is too long must not be repeated whole. */
function shortened(field: string): string {
  return field.length > MAX_QUOTED_CHARACTERS ? `${field.slice(0, MAX_QUOTED_CHARACTERS).toWellFormed()}…` : field;
}
