/**
 * The stages of 10,000 log entries.
 *
 * @module
 */
import { constants, zstdCompressSync } from "node:zlib";
import { LogDecoder, type LogShapes } from "../../decode/logs.ts";
import { ShapeCache } from "../../decode/shape_cache.ts";
import { DAY } from "../../limits.ts";
import { LogValidator } from "../../services/log_validator.ts";
import { timeBounds } from "../../services/time_bounds.ts";
import { place } from "../../store/format/log_id.ts";
import { encodeLogIndex } from "../../store/format/log_index.ts";
import { packLogSegments } from "../../store/format/log_segment.ts";
import type { LogStore } from "../../store/log_types.ts";
import { batchesOf, cut, decode, frame, messagesOf, times, timesAtOnce } from "./chunks.ts";
import type { Stage } from "./stage.ts";
import { AT_ONCE, type BothStores, TENANT } from "./stores.ts";

/** The ULID of some commit. */
const ORIGIN = "01HF7YAT00ABCDEFGHJKMNPQRS";
const LEVEL_1 = { params: { [constants.ZSTD_c_compressionLevel]: 1 } };

export function logStages(body: Uint8Array, { memory, durable }: BothStores): Stage[] {
  const shapes: LogShapes = new ShapeCache();
  const validator = new LogValidator([]);
  const chunks = cut(body);
  const messages = messagesOf(body);
  const decoded = batchesOf(messages, () => new LogDecoder(shapes));
  const bounds = timeBounds(Date.now(), DAY);
  const refuse = () => {
    throw new Error("an entry was refused");
  };
  const validate = () => decoded.map((batch) => validator.validate(batch, bounds, refuse).batch);
  // Two batches together are more than a commit takes, so each is a segment.
  const valid = validate();
  const orders = valid.map((batch) => place(batch, ORIGIN).order);
  const store = ({ logs }: { logs: LogStore }) => async () => {
    const writer = logs.writer(TENANT);
    for (const batch of valid) await writer.write(batch);
    await writer.flush();
  };
  return [
    { title: "envelopes", isPart: true, run: times(() => frame(chunks)) },
    { title: "decoding into columns", isPart: true, run: times(() => decode(messages, new LogDecoder(shapes))) },
    { title: "validation", isPart: true, run: times(validate) },
    { title: "store, on disk", isPart: true, run: timesAtOnce(store(durable), AT_ONCE) },
    {
      title: "- of it packing segments",
      isPart: false,
      run: times(() => valid.forEach((batch) => packLogSegments(batch, ORIGIN))),
    },
    {
      title: "  - of it index and bloom filter",
      isPart: false,
      run: times(() => valid.forEach((batch, i) => encodeLogIndex(batch, orders[i]))),
    },
    {
      title: "  - of it zstd (the texts alone)",
      isPart: false,
      run: times(() => valid.forEach(({ texts }) => zstdCompressSync(texts, LEVEL_1))),
    },
    { title: "store, in memory instead", isPart: false, run: timesAtOnce(store(memory), AT_ONCE) },
  ];
}
