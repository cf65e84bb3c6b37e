/**
 * Reads a log entry however protobuf allows it to be written.
 *
 * @module
 */
import { unitsOf } from "./utf8.ts";
import { LEN, VARINT, type WireReader } from "./wire.ts";

/** From where up to where a text stands. */
type Region = readonly [from: number, to: number];

/** A log entry whose texts stay where they are; they are known to be UTF-8. */
export interface LogEntryRegions {
  readonly application: string;
  readonly level: string;
  /** ms since the epoch, as the nearest double. */
  readonly timestamp: number;
  readonly message: Region;
  /** By key, in the order in which the keys came first. */
  readonly values: ReadonlyMap<string, Region>;
}

/** Reads an entry in any encoding; of what comes twice the last counts. Throws INVALID_ARGUMENT if it is none. */
export function readLogEntry(reader: WireReader): LogEntryRegions {
  let application = "", level = "", timestamp = 0;
  let message: Region = [reader.at, reader.at];
  const values = new Map<string, Region>();
  while (reader.next()) {
    const { field, wireType } = reader;
    if (field === 1 && wireType === LEN) application = reader.string();
    else if (field === 2 && wireType === LEN) level = reader.string();
    else if (field === 3 && wireType === VARINT) timestamp = Number(reader.int64());
    else if (field === 4 && wireType === LEN) message = readText(reader);
    else if (field === 5 && wireType === LEN) values.set(...readField(reader.message()));
    else reader.skip();
  }
  return { application, level, timestamp, message, values };
}

/** Reads an entry of the map; what is missing is empty. */
function readField(reader: WireReader): [key: string, value: Region] {
  let key = "";
  let value: Region = [reader.at, reader.at];
  while (reader.next()) {
    if (reader.field === 1 && reader.wireType === LEN) key = reader.string();
    else if (reader.field === 2 && reader.wireType === LEN) value = readText(reader);
    else reader.skip();
  }
  return [key, value];
}

/** Reads a text that stays where it is. */
function readText(reader: WireReader): Region {
  const length = reader.delimited();
  const region = [reader.at - length, reader.at] as const;
  // Another may take its place, and then nobody else would look at it.
  unitsOf(reader.bytes, ...region);
  return region;
}
