/**
 * Ids of streams: a name of the client's choice, and a ULID of the moment when the stream began.
 *
 * @module
 */
import { decodeTime } from "ulid";
import { invalidArgument } from "../errors.ts";
import { MAX_STREAM_NAME } from "../limits.ts";

/** A name, and a ULID in Crockford's alphabet: 48 bits of time, hence the first character, and 80 of chance. */
const STREAM_ID = new RegExp(`^[A-Za-z0-9._-]{0,${MAX_STREAM_NAME}}(?<ulid>[0-7][0-9A-HJKMNP-TV-Z]{25})$`);

/** When a stream began (ms since the epoch), from its id. INVALID_ARGUMENT for `field` if it is none. */
export function parseStreamId(id: string, field: string): number {
  const ulid = STREAM_ID.exec(id)?.groups?.ulid;
  if (ulid === undefined) {
    throw invalidArgument(
      field,
      `must be up to ${MAX_STREAM_NAME} letters, digits, dots, underscores and hyphens, and then a ULID`,
    );
  }
  return decodeTime(ulid);
}
