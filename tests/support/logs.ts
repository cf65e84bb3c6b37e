/**
 * Log entries as a decoder hands them on.
 *
 * @module
 */
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { type DecodedLogs, LogDecoder } from "../../decode/logs.ts";
import { ShapeCache } from "../../decode/shape_cache.ts";
import { LogEntrySchema } from "../../gen/sluice/v1/data_collection_pb.ts";

/** One batch of these entries. */
export function decodedLogs(entries: readonly MessageInitShape<typeof LogEntrySchema>[]): DecodedLogs {
  const decoder = new LogDecoder(new ShapeCache());
  for (const entry of entries) {
    const bytes = toBinary(LogEntrySchema, create(LogEntrySchema, entry));
    decoder.add(bytes, 0, bytes.length);
  }
  return decoder.take();
}
