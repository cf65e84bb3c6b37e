/**
 * What the command ends with.
 *
 * @module
 */
import { HeaderError, ReaderError } from "../readers/lines.ts";
import { Code, SluiceError, type SluiceReason } from "../mod.ts";

/** Exit codes; docs/cli.md lists them. */
export const Exit = {
  /** All of it is stored, or answered. */
  ok: 0,
  /** Something was refused, or could not be read; what could be is stored. */
  refused: 1,
  /** The arguments are wrong; nothing was done. */
  usage: 2,
  /** No server was reached, or it could not go on; the same command goes on later. */
  unavailable: 3,
  /** The server does not let this caller do it. */
  denied: 4,
  /** SIGINT, as shells have it: the same command goes on. */
  interrupted: 130,
} as const;

/** What went wrong here, whatever its code. */
const MINE: ReadonlySet<SluiceReason> = new Set(["item", "producer", "source"]);
const DENIED: ReadonlySet<Code> = new Set([Code.Unauthenticated, Code.PermissionDenied]);

/** What is wrong with the arguments, and shows only when they are used. */
export class UsageError extends Error {
  override name = "UsageError";
}

/** The exit code for an error that ended a command. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof UsageError || error instanceof HeaderError) return Exit.usage;
  if (error instanceof SluiceError) {
    if (MINE.has(error.reason)) return Exit.refused;
    if (DENIED.has(error.code)) return Exit.denied;
    if (error.retryable || error.reason === "foreign") return Exit.unavailable;
  }
  return Exit.refused;
}

/** The same of a question: it is made of nothing but arguments, so what is invalid is one of them. */
export function exitCodeOfQuestion(error: unknown): number {
  const isInvalid = error instanceof SluiceError && error.reason === "server" && error.code === Code.InvalidArgument;
  return isInvalid ? Exit.usage : exitCodeOf(error);
}

/** An error in one line: what happened, what is stored, how to go on. */
export function explain(error: unknown): string {
  if (error instanceof ReaderError) return error.message;
  if (!(error instanceof SluiceError)) return error instanceof Error ? error.message : String(error);
  const { committed, hint } = error;
  const stored = committed === undefined ? "" : `; ${committed} are stored`;
  const code = Code[error.code].replaceAll(/(?<=[a-z])(?=[A-Z])/g, "_").toLowerCase();
  // The id of a stream, which the hint names, is remembered by the command itself.
  return `${error.rawMessage} (${code})${stored}${hint.includes("streamId") ? "" : `. ${hint}`}`;
}
