/**
 * Request headers that say which stream a call goes on with.
 *
 * @module
 */
import { invalidArgument } from "../errors.ts";
import { parseStreamId } from "../services/stream_id.ts";
import type { StreamCall } from "../store/stream_types.ts";

const ID = "sluice-stream-id";
const START = "sluice-start";
const END = "sluice-end";

/** The stream that headers name, if they name one. INVALID_ARGUMENT where they are wrong. */
export function streamOf(headers: Headers): StreamCall | undefined {
  const id = headers.get(ID);
  const start = sequence(headers, START);
  const end = sequence(headers, END);
  if (id === null) {
    if (start !== undefined) throw invalidArgument(START, `needs ${ID}`);
    if (end !== undefined) throw invalidArgument(END, `needs ${ID}`);
    return undefined;
  }
  const beganAt = parseStreamId(id, ID);
  if (end !== undefined && end < (start ?? 0)) {
    throw invalidArgument(END, `must not be less than ${START}, which is ${start}: current value is ${end}`);
  }
  return { id, beganAt, start: start ?? 0, end };
}

function sequence(headers: Headers, name: string): number | undefined {
  const text = headers.get(name);
  if (text === null) return undefined;
  const value = Number(text);
  if (/^\d{1,16}$/.test(text) && Number.isSafeInteger(value)) return value;
  throw invalidArgument(name, `must be a whole number: current value is ${JSON.stringify(text.slice(0, 40))}`);
}
