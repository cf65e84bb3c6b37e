/**
 * Rollups of hours for the run of a day, made of its segments of samples as these are written. What they take is to be
 * little beside the samples: where a run has few samples an hour of a series, it has none.
 *
 * @module
 */
import { HOUR, RUN_HOURS_BYTES, RUN_SEGMENT_HOURS } from "../../../limits.ts";
import { encodeHourRollups, type SeriesHours } from "../../format/hour_rollups.ts";
import type { PointSegment } from "../../format/point_segment.ts";
import { Rollup } from "../../format/rollup.ts";
import type { PointRunSegment, RunSegment } from "../../format/run_footer.ts";
import type { Series } from "../../types.ts";

/** Rollups that are packed, as a footer has them. */
export interface PackedHours extends Omit<PointRunSegment, keyof RunSegment> {
  readonly bytes: Uint8Array;
}

export class HourSegments {
  #samples = 0;
  #hours = 0;
  /** The series that come to the next segment; of the last one there may be more. */
  #list: { readonly series: Series; readonly hours: Map<number, Rollup> }[] = [];
  #listed = 0;
  #packed: PackedHours[] = [];
  #bytes = 0;
  /** Whether to have any; undefined until enough has come to tell. */
  #isWorthwhile: boolean | undefined;

  /** @param least Samples an hour of a series, on average, from which on there are any. */
  constructor(private readonly least: number) {}

  /** Adds the next segment of the run. */
  add(segment: PointSegment): void {
    if (this.#isWorthwhile === false) return;
    this.#samples += segment.samples;
    for (let i = 0; i < segment.seriesCount; i++) {
      const series = segment.series(i);
      if (this.#list.at(-1)?.series.key !== series.key) {
        if (this.#listed >= RUN_SEGMENT_HOURS) this.#pack();
        this.#list.push({ series, hours: new Map() });
      }
      this.#addColumns(this.#list.at(-1)!.hours, segment.columns(i));
    }
  }

  /** What can be written, once it is known to be worthwhile. */
  take(): PackedHours[] {
    if (this.#isWorthwhile === undefined && this.#bytes < RUN_HOURS_BYTES) return [];
    return this.#taken();
  }

  /** What is left to be written. */
  end(): PackedHours[] {
    if (this.#list.length > 0) this.#pack();
    return this.#taken();
  }

  #taken(): PackedHours[] {
    this.#isWorthwhile ??= this.#samples >= this.#hours * this.least;
    const packed = this.#isWorthwhile ? this.#packed : [];
    this.#packed = [];
    this.#bytes = 0;
    return packed;
  }

  #addColumns(
    hours: Map<number, Rollup>,
    { timestamps, values }: { readonly timestamps: Float64Array; readonly values: Float64Array },
  ): void {
    let hour = NaN;
    let rollup: Rollup | undefined;
    for (let j = 0; j < timestamps.length; j++) {
      const own = Math.floor(timestamps[j] / HOUR);
      if (rollup === undefined || own !== hour) {
        hour = own;
        rollup = hours.get(hour);
        if (rollup === undefined) {
          hours.set(hour, rollup = new Rollup());
          this.#hours++;
          this.#listed++;
        }
      }
      rollup.add(timestamps[j], values[j]);
    }
  }

  #pack(): void {
    const list: readonly SeriesHours[] = this.#list;
    const bytes = encodeHourRollups(list);
    const hours = list.flatMap(({ hours }) => [...hours.keys()]);
    this.#packed.push({
      bytes,
      samples: 0,
      minTime: Math.min(...hours) * HOUR,
      maxTime: (Math.max(...hours) + 1) * HOUR - 1,
      first: list[0].series,
      last: list[list.length - 1].series,
    });
    this.#bytes += bytes.length;
    this.#list = [];
    this.#listed = 0;
  }
}
