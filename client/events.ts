/**
 * What a client tells about its work, for those who want to watch.
 *
 * @module
 */
import type { ConnectionState } from "./connection.ts";
import type { SluiceError } from "./errors.ts";
import type { Way } from "./way.ts";

/** Something that happened. */
export type SluiceEvent =
  /** How streams are sent from now on, and why. */
  | { type: "transport"; way: Way; why: string }
  /** A call begins, with the item (of a file: the byte) `start`. */
  | { type: "call"; streamId: string; url: string; start: number; way: Way }
  /** A call has ended well. */
  | { type: "receipt"; streamId: string; url: string; committed: number }
  /** A failure that another try may cure: it follows after `waitMs`. `attempt` counts from 1 since something was committed. */
  | { type: "retry"; streamId?: string; url?: string; attempt: number; waitMs: number; error: SluiceError }
  /** An upload goes on where another run of the program, or another tab, has left it. */
  | { type: "resumed"; streamId: string; committed: number }
  /** An item of an offline buffer can never be sent, and is passed over: in the receipt it is one that was refused. */
  | { type: "refused"; streamId: string; error: SluiceError }
  /** An endpoint is not used any more, or is again. */
  | { type: "ejected"; url: string; error: SluiceError }
  | { type: "probe"; url: string; healthy: boolean }
  | { type: "restored"; url: string }
  /** The state of the connection, of all endpoints together. */
  | { type: "state"; state: ConnectionState };

/** Told of events. What it throws is not caught. */
export type OnEvent = (event: SluiceEvent) => void;
