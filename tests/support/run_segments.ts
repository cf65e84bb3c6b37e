/**
 * The segments of runs, read past all that reads them in the project but their formats.
 *
 * @module
 */
import type { RunRecord } from "../../gen/sluice/store/v1/records_pb.ts";
import { decodeLogFooter, decodePointFooter } from "../../store/format/run_footer.ts";
import { decodeValue, FORMAT } from "../../store/format/value.ts";
import type { BlobStore } from "../../store/types.ts";

/** The contents of all segments of a run that have items. Throws a DamagedError where something cannot be read. */
export async function segmentsOfRun(blobs: BlobStore, id: string, record: RunRecord): Promise<Uint8Array[]> {
  const pieces = record.pieces.map(({ epoch, length }) => ({ epoch, length: Number(length) }));
  const size = pieces.reduce((sum, { length }) => sum + length, 0);
  const bytes = new Uint8Array(size);
  let at = 0;
  for await (const part of blobs.read(id, pieces, { start: 0, end: size })) {
    bytes.set(part, at);
    at += part.length;
  }
  const { format, payload } = decodeValue(bytes.subarray(Number(record.footer)));
  const placed = format === FORMAT.pointRunFooter
    ? decodePointFooter(payload).filter(({ samples }) => samples > 0)
    : decodeLogFooter(payload);
  return placed.map(({ offset, length }) => decodeValue(bytes.subarray(offset, offset + length)).payload);
}
