/**
 * Ids of streams; see docs/wire.md.
 *
 * @module
 */
import { ulid } from "./deps.ts";

/** Characters of a name that an id begins with. */
const NAME_CHARS = 100;

/** An id of a stream that begins now. What a name has that an id cannot have becomes a hyphen. */
export function newStreamId(name = ""): string {
  const begin = name.replaceAll(/[^A-Za-z0-9._-]/g, "-").slice(0, NAME_CHARS - 1);
  return begin === "" ? ulid() : `${begin}-${ulid()}`;
}
