/**
 * The one error of the client: what happened, what is stored all the same, and how to go on.
 *
 * @module
 */
import { RetryInfoSchema } from "../gen/google/rpc/error_details_pb.ts";
import { Code, ConnectError } from "./deps.ts";

/**
 * Who or what ended a call.
 *
 * | reason | what happened |
 * |---|---|
 * | `server` | the server refused; `code` and `message` are its own |
 * | `connection` | no answer: nobody listens, or the connection was cut |
 * | `foreign` | something answered that is no Sluice server: a proxy, a login page, a wrong address |
 * | `token` | the function that is to give a token threw, `cause` is what; or it gave none in time |
 * | `producer` | the iterable threw; `cause` is what |
 * | `item` | an item has not the shape of one; `cause` says which field |
 * | `source` | the file cannot be read, or is another than when it was opened, or a stream has more items than were given |
 * | `cancelled` | the caller's signal; `cause` is its reason |
 * | `deadline` | the overall deadline passed |
 * | `lost` | the server has forgotten the stream, or what it had committed of it |
 * | `buffer` | the offline buffer, or the folder `stateDir`, cannot be used: somebody else has it, it is damaged, its disk is full |
 * | `damaged` | a checksum does not match |
 * | `closed` | the client or the writer was closed |
 */
export type SluiceReason =
  | "server"
  | "connection"
  | "foreign"
  | "token"
  | "producer"
  | "item"
  | "source"
  | "cancelled"
  | "deadline"
  | "lost"
  | "buffer"
  | "damaged"
  | "closed";

/** What is known of the stream when an error ends it. */
export interface StreamPosition {
  streamId?: string;
  /** Items, or bytes of the file, from the beginning of the stream, that are durable. */
  committed?: number;
}

/**
 * What ended a call. It is a ConnectError too, so `code`, `rawMessage` and `findDetails()` are there; and its `name` is
 * that of one, for ConnectError tells by the name who is one.
 */
export class SluiceError extends ConnectError {
  /** Who or what ended the call. */
  readonly reason: SluiceReason;
  /** The stream, if there was one. */
  readonly streamId: string | undefined;
  /** How many items, or bytes of a file, are stored all the same. Undefined if nobody has said. */
  readonly committed: number | undefined;
  /** Whether the same call may succeed later, as it is. */
  readonly retryable: boolean;
  /** How long to wait at least before that, ms, if the server (by RetryInfo), a proxy (by Retry-After) or the client knows. */
  readonly retryAfterMs: number | undefined;

  static override [Symbol.hasInstance](value: unknown): boolean {
    return isOf(SluiceError, value);
  }

  constructor(
    message: string,
    init: StreamPosition & {
      code: Code;
      reason: SluiceReason;
      retryable?: boolean;
      retryAfterMs?: number;
      cause?: unknown;
    },
  ) {
    super(message, init.code, undefined, undefined, init.cause);
    this.reason = init.reason;
    this.streamId = init.streamId;
    this.committed = init.committed;
    const { cause } = init;
    if (cause instanceof ConnectError) {
      this.details = cause.details;
      cause.metadata.forEach((value, key) => this.metadata.set(key, value));
    }
    this.retryAfterMs = init.retryAfterMs ?? retryDelayMs(this);
    this.retryable = init.retryable ?? isRetryable(this);
  }

  /** How to go on, in a sentence. */
  get hint(): string {
    const again = this.streamId === undefined
      ? "Call again"
      : `Call again with streamId "${this.streamId}" and the same items from the first`;
    switch (this.reason) {
      case "lost":
        return "Send what is not stored as a new stream.";
      case "foreign":
        return "Check the url: what answers there is no Sluice server.";
      case "buffer":
        return "Mend the cause, and open a writer with the same buffer: what was saved in it is sent then.";
      case "closed":
        return "Make a new client or writer.";
      case "item":
      case "producer":
      case "source":
        return `Mend the cause. ${again}: what is stored is not stored twice.`;
    }
    if (this.code === Code.Unauthenticated) return `Get another token. ${again}: what is stored is not stored twice.`;
    if (this.retryable || this.reason === "cancelled") return `${again}: what is stored is not stored twice.`;
    return "Calling again as it is cannot help.";
  }
}

/** What `instanceof` says of other classes: ConnectError has an opinion of its own, and classes inherit it. */
function isOf(type: { prototype: object }, value: unknown): boolean {
  return typeof value === "object" && value !== null && Object.prototype.isPrototypeOf.call(type.prototype, value);
}

/** Whether an answer of the server, or its absence, can be another when asked again. See docs/wire.md. */
function isRetryable(error: ConnectError): boolean {
  switch (error.code) {
    case Code.Unavailable:
    case Code.Aborted:
    case Code.DeadlineExceeded:
      return true;
    case Code.ResourceExhausted:
      return retryDelayMs(error) !== undefined;
    default:
      return false;
  }
}

/** What RetryInfo asks for, or the header Retry-After of a proxy, ms; undefined where there is neither. */
function retryDelayMs(error: ConnectError): number | undefined {
  const [info] = error.findDetails(RetryInfoSchema);
  const delay = info?.retryDelay;
  if (info === undefined) return retryAfterHeaderMs(error.metadata);
  return delay === undefined ? 0 : Number(delay.seconds) * 1000 + delay.nanos / 1e6;
}

/** Whether the server says that it does not know a stream any more. */
export function isTooOld({ reason, code }: SluiceError): boolean {
  return reason === "server" && code === Code.FailedPrecondition;
}

/** Whether what ended a stream is that the server has forgotten it, so that nothing can be added to it any more. */
export function isForgotten(error: unknown): error is SluiceError {
  return error instanceof SluiceError && (error.reason === "lost" || isTooOld(error));
}

/** Of a date in it, the answer's own date says how far that is off: this machine's clock may be wrong. */
function retryAfterHeaderMs(headers: Headers): number | undefined {
  const after = headers.get("retry-after") ?? "";
  const ms = /^\d+$/.test(after) ? Number(after) * 1000 : Date.parse(after) - Date.parse(headers.get("date") ?? "");
  return Number.isFinite(ms) ? Math.max(0, ms) : undefined;
}

/** An answer of something that is no Sluice server, with its HTTP status. */
export class ForeignAnswer extends ConnectError {
  static override [Symbol.hasInstance](value: unknown): boolean {
    return isOf(ForeignAnswer, value);
  }

  constructor(message: string, code: Code, readonly status: number, metadata?: HeadersInit) {
    super(message, code, metadata);
  }
}

/** The error that a caller sees for whatever ended a call, with what is known of its stream. */
export function toSluiceError(error: unknown, position: StreamPosition = {}): SluiceError {
  if (error instanceof SluiceError) {
    if (position.streamId === undefined || error.streamId !== undefined) return error;
    return changed(error, position);
  }
  if (error instanceof ForeignAnswer) {
    return new SluiceError(error.rawMessage, { code: error.code, reason: "foreign", cause: error, ...position });
  }
  if (error instanceof ConnectError) {
    return new SluiceError(error.rawMessage, { code: error.code, reason: "server", cause: error, ...position });
  }
  return new SluiceError(`The connection failed: ${explain(error)}`, {
    code: Code.Unavailable,
    reason: "connection",
    cause: error,
    ...position,
  });
}

/** The same error, with something of it changed. */
export function changed(
  error: SluiceError,
  changes: StreamPosition & { rawMessage?: string; retryable?: boolean; retryAfterMs?: number },
): SluiceError {
  const { rawMessage, code, reason, retryable, retryAfterMs, streamId, committed, cause } = error;
  const init = { code, reason, retryable, retryAfterMs, streamId, committed, cause: cause ?? error };
  return new SluiceError(changes.rawMessage ?? rawMessage, { ...init, ...changes });
}

/** fetch says no more than that it failed; why is in the cause. */
export function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? `${error.message}: ${explain(error.cause)}` : error.message;
}
