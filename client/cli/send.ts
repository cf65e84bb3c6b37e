/**
 * Sending points or log entries of one input after the other, each a stream that is remembered until it is finished.
 *
 * @module
 */
import { type StreamKind, StreamService } from "../../gen/sluice/v1/stream_pb.ts";
import { Code, type CollectionResult, type LogCollectionResult, type Rejection, SluiceError } from "../mod.ts";
import type { Sending } from "../progress.ts";
import type { SendOptions } from "../collect.ts";
import { isForgotten } from "../errors.ts";
import { createCore } from "../options.ts";
import { ask } from "../unary.ts";
import { newStreamId } from "../stream_id.ts";
import { HeaderError, ReaderError } from "../readers/lines.ts";
import { type Bars, createBars } from "./bars.ts";
import type { Context } from "./context.ts";
import { Exit, exitCodeOf, explain } from "./exit.ts";
import { count } from "./format.ts";
import { fingerprintOf, type Inputs, openInput, sizeOf, STDIN } from "./inputs.ts";

/** How many refused lines or items are named one by one; the others are only counted. */
const NAMED_FAULTS = 10;

/** What is sent, and how it is read. */
export interface Sendable<T> {
  /** `point` or `log entry`. */
  readonly what: string;
  readonly kind: StreamKind;
  /** What else tells one sending of a file from another: the options that say how it is read. */
  readonly how: string;
  /** The options that say what an input means that was not understood. */
  advice?(path: string): string;
  /** Leaves out lines that cannot be read, and goes on. */
  readonly skipBad: boolean;
  read(path: string, bytes: AsyncIterable<Uint8Array>, onError: (error: ReaderError) => void): AsyncIterable<T>;
  send(items: AsyncIterable<T>, options: SendOptions): Sending<CollectionResult> | Sending<LogCollectionResult>;
}

/** Sends all inputs, and returns the exit code. */
export async function sendInputs<T>(context: Context, inputs: Inputs, kind: Sendable<T>): Promise<number> {
  const bars = createBars(context);
  let worst = inputs.code;
  try {
    for (const path of inputs.paths) {
      try {
        worst = Math.max(worst, await sendInput(context, bars, path, kind));
      } catch (error) {
        if (context.signal.aborted) throw error;
        const cause = causeOf(error);
        context.warn(`${nameOf(path)}: ${explain(cause)}`);
        worst = Math.max(worst, exitCodeOf(cause));
      }
    }
  } finally {
    bars.stop();
  }
  return worst;
}

async function sendInput<T>(context: Context, bars: Bars, path: string, kind: Sendable<T>): Promise<number> {
  const { memory, signal } = context;
  const fingerprint = await fingerprintOf(path);
  const key = fingerprint && await memory.keyOf(`${kind.what} ${fingerprint} ${kind.how}`);
  const known = key && await memory.recall(key);
  const streamId = known ?? newStreamId(nameOf(path));
  if (key !== undefined && known === undefined) await memory.remember(key, streamId);

  const faults = new Faults(context, nameOf(path));
  const onError = (error: ReaderError) => {
    if (!kind.skipBad) throw error;
    faults.name(error.message);
  };
  const bar = bars.add(nameOf(path), "items");
  const size = await sizeOf(path);
  let read = 0;
  try {
    const receipt = await kind.send(kind.read(path, openInput(path, (bytes) => void (read = bytes)), onError), {
      // Of a stream that begins, there is nothing to ask the server; but its id has to be known beforehand.
      streamId,
      signal,
      // How many items there are, the bytes of which so many were made let guess.
      onProgress: ({ sent, rate }) => bar.update(sent, rate, size && read > 0 ? sent * size / read : undefined),
    });
    if (key !== undefined) await memory.forget(key);
    for (const rejection of receipt.rejections) faults.name(textOf(rejection, kind.what));
    const summary = summaryOf(receipt);
    report(context, path, summary, faults.lines);
    return summary.rejected > 0 || faults.lines > 0 ? Exit.refused : Exit.ok;
  } catch (error) {
    const cause = causeOf(error);
    if (cause instanceof ReaderError) {
      context.warn(`${nameOf(path)}: ${howToGoOn(path, kind, cause)}`);
      report(context, path, await storedSoFar(context, kind, streamId), faults.lines + 1);
      return exitCodeOf(cause);
    }
    if (key === undefined || !isForgotten(error)) throw error;
    // What another try cannot mend must not stand in the way of a sending from the beginning.
    await memory.forget(key);
    throw new Error(
      `${error.rawMessage}. Run the command again to send all of it anew: what is stored of it will be ` +
        "there twice",
      { cause: error },
    );
  } finally {
    bar.end();
  }
}

/** The result of one input. */
function report(context: Context, path: string, summary: Summary, unreadable: number): void {
  const input = nameOf(path);
  context.result(
    { input, ...summary, unreadable },
    [
      `${input}: ${count(summary.stored)} stored`,
      ...summary.duplicates > 0 ? [`${count(summary.duplicates)} were there already`] : [],
      ...summary.filtered > 0 ? [`${count(summary.filtered)} filtered`] : [],
      ...summary.rejected > 0 ? [`${count(summary.rejected)} rejected`] : [],
      ...unreadable > 0 ? [`${count(unreadable)} lines unreadable`] : [],
    ].join(", "),
  );
}

/** What the server has of a stream that has not come to its end; nothing, if it never began. */
async function storedSoFar(context: Context, { kind }: { kind: StreamKind }, streamId: string): Promise<Summary> {
  const { core, close } = createCore({ url: context.url, token: context.token });
  try {
    const { stream } = await ask(core, StreamService.method.getStream, { kind, streamId }, { signal: context.signal });
    const { case: found, value } = stream?.result ?? { case: undefined };
    if (found === "points" || found === "logs") return summaryOf(value);
  } catch (error) {
    if (!(error instanceof SluiceError && error.code === Code.NotFound)) throw error;
  } finally {
    close();
  }
  return { stored: 0, rejected: 0, filtered: 0, duplicates: 0 };
}

/** What is wrong with the line that ended a sending, and how to go on. Without a header, nothing of the file was sent. */
function howToGoOn<T>(path: string, { skipBad, advice }: Sendable<T>, cause: ReaderError): string {
  const again = path === STDIN
    ? "what is sent again is stored twice"
    : "a file that is changed is sent from its beginning";
  return [
    cause.message,
    ...skipBad || cause instanceof HeaderError ? [] : ["run again with --skip-bad to leave out such lines"],
    ...cause instanceof HeaderError ? [] : [again],
    advice?.(path) ?? "",
  ].filter((text) => text !== "").join("; ");
}

/** The first faults are named, the others counted. */
class Faults {
  lines = 0;
  #named = 0;

  constructor(readonly context: Context, readonly input: string) {}

  name(text: string): void {
    if (text.startsWith("line ")) this.lines++;
    if (this.#named++ < NAMED_FAULTS) this.context.warn(`${this.input}: ${text}`);
    else if (this.#named === NAMED_FAULTS + 1) this.context.warn(`${this.input}: and more of the kind`);
  }
}

interface Summary {
  stored: number;
  rejected: number;
  filtered: number;
  duplicates: number;
}

function summaryOf(receipt: CollectionResult | LogCollectionResult): Summary {
  const isPoints = "successfulCount" in receipt;
  return {
    stored: isPoints ? receipt.successfulCount : receipt.indexedCount,
    rejected: Number(receipt.errorCount),
    filtered: isPoints ? 0 : Number(receipt.filteredCount),
    duplicates: Number(receipt.duplicateCount),
  };
}

function textOf({ index, field, reason }: Rejection, what: string): string {
  return `${what} ${Number(index) + 1}: ${field} ${reason}`;
}

/** What reading threw comes wrapped by the client. */
function causeOf(error: unknown): unknown {
  return error instanceof SluiceError && error.reason === "producer" ? error.cause : error;
}

export function nameOf(path: string): string {
  return path === STDIN ? "standard input" : path;
}
