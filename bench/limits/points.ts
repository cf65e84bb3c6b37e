/**
 * The stages of 10,000 points.
 *
 * @module
 */
import { PointDecoder, type PointShapes } from "../../decode/points.ts";
import { ShapeCache } from "../../decode/shape_cache.ts";
import { DAY, GROUP_BYTES } from "../../limits.ts";
import { PointColumns } from "../../services/point_columns.ts";
import { timeBounds } from "../../services/time_bounds.ts";
import { packPointSegments, type PointColumns as Columns } from "../../store/format/point_segment.ts";
import type { PointBatch, PointStore, Series } from "../../store/types.ts";
import { batchesOf, cut, decode, frame, messagesOf, times, timesAtOnce } from "./chunks.ts";
import type { Stage } from "./stage.ts";
import { AT_ONCE, type BothStores, TENANT } from "./stores.ts";

/** Bytes that the store counts for a sample (store/kv/points.ts). */
const SAMPLE_BYTES = 18;

export function pointStages(body: Uint8Array, { memory, durable }: BothStores): Stage[] {
  const shapes: PointShapes = new ShapeCache();
  const chunks = cut(body);
  const messages = messagesOf(body);
  const decoded = batchesOf(messages, () => new PointDecoder(shapes));
  const bounds = timeBounds(Date.now(), DAY);
  const refuse = () => {
    throw new Error("a point was refused");
  };
  const valid = decoded.map((batch) => new PointColumns(batch, bounds, refuse).batch);
  const groups = groupsOf(valid);
  const store = ({ points }: { points: PointStore }) => async () => {
    const writer = points.writer(TENANT);
    for (const batch of valid) {
      await writer.refused(batch.series);
      await writer.write(batch);
    }
    await writer.flush();
  };
  return [
    { title: "envelopes", isPart: true, run: times(() => frame(chunks)) },
    { title: "decoding into columns", isPart: true, run: times(() => decode(messages, new PointDecoder(shapes))) },
    {
      title: "validation",
      isPart: true,
      run: times(() => {
        for (const batch of decoded) new PointColumns(batch, bounds, refuse);
      }),
    },
    { title: "store, on disk", isPart: true, run: timesAtOnce(store(durable), AT_ONCE) },
    { title: "- of it packing segments", isPart: false, run: times(() => groups.forEach(packPointSegments)) },
    { title: "store, in memory instead", isPart: false, run: timesAtOnce(store(memory), AT_ONCE) },
  ];
}

/** Samples in groups as full as a commit takes. */
function groupsOf(batches: readonly PointBatch[]): Columns[] {
  const groups: Columns[] = [];
  let group = { series: [] as Series[], seriesOf: [] as number[], timestamps: [] as number[], values: [] as number[] };
  for (const { series, seriesOf, timestamps, ends, values } of batches) {
    if ((group.values.length + values.length) * SAMPLE_BYTES > GROUP_BYTES) {
      groups.push(typed(group));
      group = { series: [], seriesOf: [], timestamps: [], values: [] };
    }
    const places = series.map((own) => {
      const place = group.series.findIndex(({ key }) => key === own.key);
      return place >= 0 ? place : group.series.push(own) - 1;
    });
    for (let i = 0, j = 0; i < ends.length; i++) {
      for (; j < ends[i]; j++) {
        group.seriesOf.push(places[seriesOf[j]]);
        group.timestamps.push(timestamps[i]);
        group.values.push(values[j]);
      }
    }
  }
  return [...groups, typed(group)];
}

function typed({ series, seriesOf, timestamps, values }: Columns): Columns {
  return {
    series,
    seriesOf: Int32Array.from(seriesOf),
    timestamps: Float64Array.from(timestamps),
    values: Float64Array.from(values),
  };
}
