/**
 * Opens the stream that a call names.
 *
 * @module
 */
import type { Stream, StreamCall, StreamKind, StreamStore } from "../store/stream_types.ts";
import { type Call, orAborted } from "./call.ts";
import { withCommitted } from "./stream_errors.ts";

/** Throws what StreamStore.open throws; if the stream is known, with how far it is durable. */
export async function openStream(
  streams: StreamStore,
  call: Call,
  kind: StreamKind,
  named: StreamCall,
): Promise<Stream> {
  try {
    return await orAborted(call, streams.open(call.tenant, kind, named));
  } catch (error) {
    if (call.signal.aborted) throw error;
    const info = await orAborted(call, streams.get(call.tenant, kind, named.id)).catch(() => undefined);
    throw info ? withCommitted(error, info.committed) : error;
  }
}
