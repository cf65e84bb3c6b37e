/**
 * What makes two series the same: their canonical key, and the id that is derived from it.
 *
 * The key is source, metric and then key and value of each tag in the order of the keys' code units, every part as
 * `<length>:<part>` with the length in UTF-16 code units. No part can contain what looks like the end of it, so
 * different series have different keys, whatever characters their names hold. The id is the first half of the key's
 * SHA-256.
 *
 * @module
 */
import { createHash } from "node:crypto";
import type { Series, SeriesFilter } from "../types.ts";

type Tag = readonly [key: string, value: string];

/** Bytes of a series' id. */
export const SERIES_ID_BYTES = 16;

/**
 * The canonical key: equal keys, equal series.
 *
 * @param tags Sorted by key (code units), keys unique; see `sortTags()`.
 */
export function seriesKey(source: string, metric: string, tags: readonly Tag[]): string {
  let key = `${source.length}:${source}${metric.length}:${metric}`;
  for (const [name, value] of tags) key += `${name.length}:${name}${value.length}:${value}`;
  return key;
}

/** Sorts tags by key (code units); of equal keys the last wins. */
export function sortTags(tags: Readonly<Record<string, string>> | Iterable<Tag>): Tag[] {
  const entries: Tag[] = Symbol.iterator in tags ? Array.from(tags as Iterable<Tag>) : Object.entries(tags);
  if (isSorted(entries)) return entries;
  return Array.from(new Map(entries)).sort(([a], [b]) => a < b ? -1 : 1);
}

/** Makes a series. The order of `tags` does not matter, save that of equal keys the last wins. */
export function makeSeries(
  source: string,
  metric: string,
  tags: Readonly<Record<string, string>> | Iterable<Tag>,
): Series {
  const sorted = sortTags(tags);
  return { source, metric, tags: sorted, key: seriesKey(source, metric, sorted) };
}

/** Whether a series has what the filter names. */
export function matches(series: Series, filter: SeriesFilter): boolean {
  if (filter.source !== undefined && series.source !== filter.source) return false;
  if (filter.metric !== undefined && series.metric !== filter.metric) return false;
  return filter.tags.every(([key, value]) => series.tags.some(([k, v]) => k === key && v === value));
}

/** Series in the order of first use, each once. */
export class SeriesList {
  readonly series: Series[] = [];
  readonly #places = new Map<string, number>();

  /** The place of a series, which gets one if it has none. */
  place(series: Series): number {
    let place = this.#places.get(series.key);
    if (place === undefined) {
      place = this.series.push(series) - 1;
      this.#places.set(series.key, place);
    }
    return place;
  }
}

/** The id of the series with this key: 16 bytes. */
export function seriesId(key: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(createHash("sha256").update(key).digest().subarray(0, SERIES_ID_BYTES));
}

/** Whether keys ascend strictly, as they mostly do when a client sorts them. */
function isSorted(entries: readonly Tag[]): boolean {
  for (let i = 1; i < entries.length; i++) {
    if (entries[i - 1][0] >= entries[i][0]) return false;
  }
  return true;
}
