/**
 * Errors of calls on a stream: they say where to go on.
 *
 * @module
 */
import { ConnectError } from "@connectrpc/connect";
import { StreamStatusSchema } from "../gen/sluice/v1/stream_pb.ts";

/** The error with how far the stream is durable as a detail; what is no ConnectError stays as it is. */
export function withCommitted(error: unknown, committed: number): unknown {
  if (!(error instanceof ConnectError)) return error;
  // A copy: all calls that are open get the same one when the server stops.
  const told = new ConnectError(error.rawMessage, error.code, error.metadata, undefined, error.cause);
  told.details = [...error.details, { desc: StreamStatusSchema, value: { committed: BigInt(committed) } }];
  return told;
}
