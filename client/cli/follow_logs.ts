/**
 * `sluice logs --follow`: a file that grows, as one short stream after the other. Where a stream begins in the file, and
 * its id, are written down before it is sent; so whatever ends the command, the next one reads from there and the client
 * passes over what the server has: no line twice, none left out.
 *
 * @module
 */
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { basename, resolve } from "node:path";
import { type LogCollectionResult, type LogInit, SluiceError } from "../mod.ts";
import { sha256Hex } from "../hash.ts";
import { newStreamId } from "../stream_id.ts";
import { createBars } from "./bars.ts";
import type { Context } from "./context.ts";
import { Exit } from "./exit.ts";
import { Follower } from "./follow.ts";
import type { Position } from "./follow_files.ts";
import { count } from "./format.ts";

/** Lines of a stream at the most: as many have to be read again after an interruption. */
const STREAM_LINES = 100_000;

/** How long a stream may last, ms. The server keeps a record of each for a week, which should not be a million. */
const STREAM_MS = 60_000;

/** How long lines wait for others to be committed with, ms: so late are they found. A commit each second is nothing. */
const WINDOW_MS = 1000;

/** What has come of it, in lines. */
interface Totals {
  committed: number;
  rejected: number;
}

/** What is kept between two runs. */
interface State {
  /** Where the stream begins, or the next one will. */
  position: Position;
  /** Of the stream that is not known to be finished. */
  streamId?: string;
}

/** What is followed, and how its lines are read. */
export interface Followed {
  readonly path: string;
  readonly fromEnd: boolean;
  read(bytes: AsyncIterable<Uint8Array>): AsyncIterable<LogInit>;
}

/** Follows until it is interrupted. */
export async function followLogs(context: Context, { path, fromEnd, read }: Followed): Promise<number> {
  const { signal } = context;
  const sluice = context.createPatient();
  const statePath = await statePathOf(context, path);
  let state = await readState(statePath);
  const opened = await Follower.open(path, signal, state?.position ?? (fromEnd ? "end" : "begin"));
  await using follower = opened.follower;
  if (state !== undefined && !opened.found) {
    context.warn(
      `${path}: what was left to be read is neither there nor in a file beside it; reading from the beginning`,
    );
    state = undefined;
  }
  const bars = createBars(context);
  const bar = bars.add(path, "items");
  const totals: Totals = { committed: 0, rejected: 0 };
  const start = performance.now();
  try {
    while (await follower.ready()) {
      const streamId: string = state?.streamId ?? newStreamId(basename(path));
      const begin = follower.position;
      state = { position: begin, streamId };
      await writeState(statePath, state);
      const segment = new Segment(follower, read);
      const before = totals.committed;
      /** Of a stream that goes on: what another run had committed. */
      let known: number | undefined;
      const receipt = await sluice.sendLogs(segment.items(), {
        streamId,
        signal,
        window: { ms: WINDOW_MS },
        onProgress: ({ committed }) => {
          known ??= committed;
          totals.committed = before + committed - known;
          bar.update(totals.committed, totals.committed / ((performance.now() - start) / 1000));
        },
      });
      await segment.passOver(Number(receipt.committed));
      state = { position: follower.position };
      await writeState(statePath, state);
      account(context, path, totals, receipt);
    }
  } catch (error) {
    // What a stream that the server has forgotten had brought cannot be asked any more: from there on, a new one.
    if (error instanceof SluiceError && error.reason === "lost" && state !== undefined) {
      await writeState(statePath, { position: state.position });
    }
    throw error;
  } finally {
    bar.end();
    bars.stop();
    context.note(
      `${path}: ${count(totals.committed)} lines since the start, ${count(totals.rejected)} of them rejected`,
    );
  }
  return Exit.interrupted;
}

/** The lines of one stream. */
class Segment {
  #taken = 0;

  constructor(readonly follower: Follower, readonly read: Followed["read"]) {}

  /**
   * The reader is given one line at a time, so that with each entry it is known where the next begins. A stream without a
   * line waits: empty ones need not be sent.
   */
  async *items(): AsyncGenerator<LogInit> {
    const { follower } = this;
    let end = Infinity;
    async function* lines(): AsyncGenerator<Uint8Array> {
      for (let line = await follower.next(end); line !== undefined; line = await follower.next(end)) {
        if (end === Infinity) end = performance.now() + STREAM_MS;
        yield line;
      }
    }
    for await (const item of this.read(lines())) {
      this.#taken++;
      yield item;
      if (this.#taken >= STREAM_LINES) return;
    }
  }

  /** Of a stream that was finished already, whose items nobody has asked for: reads so many, and drops them. */
  async passOver(items: number): Promise<void> {
    if (this.#taken >= items) return;
    const rest = this.items();
    for await (const _ of rest) if (this.#taken >= items) break;
  }
}

function account(
  context: Context,
  path: string,
  totals: Totals,
  receipt: LogCollectionResult,
): void {
  totals.rejected += Number(receipt.errorCount);
  if (context.json) {
    context.result({ input: path, stored: receipt.indexedCount, rejected: Number(receipt.errorCount) }, "");
  }
  for (const { index, field, reason } of receipt.rejections.slice(0, 1)) {
    context.warn(
      `${path}: ${receipt.errorCount} rejected, the first of them entry ${Number(index) + 1}: ${field} ${reason}`,
    );
  }
}

async function statePathOf({ url, stateDir }: Context, path: string): Promise<string> {
  const key = await sha256Hex(new TextEncoder().encode(`${new URL(url).href} ${resolve(path)}`));
  await mkdir(stateDir, { recursive: true });
  return `${stateDir}/follow-${key.slice(0, 32)}.json`;
}

async function readState(path: string): Promise<State | undefined> {
  try {
    return JSON.parse(await readFile(path, "utf8")) as State;
  } catch {
    return undefined;
  }
}

/** Written beside and renamed, so that no crash leaves half of one. */
async function writeState(path: string, state: State): Promise<void> {
  await writeFile(`${path}.new`, JSON.stringify(state));
  await rename(`${path}.new`, path);
}
