/**
 * `sluice logs --follow`: a file that grows, as one short stream after the other. Where a stream begins in the file, and
 * its id, are written down before it is sent; so whatever ends the command, the next one reads from there and the client
 * passes over what the server has: no line twice, none left out.
 *
 * @module
 */
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { basename, resolve } from "node:path";
import { isForgotten } from "../errors.ts";
import { sha256Hex } from "../hash.ts";
import type { LogCollectionResult, LogInit, Sluice } from "../mod.ts";
import { newStreamId } from "../stream_id.ts";
import { type Bar, createBars } from "./bars.ts";
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
export async function followLogs(context: Context, followed: Followed): Promise<number> {
  const { path } = followed;
  const bars = createBars(context);
  const bar = bars.add(path, "items");
  const following = new Following(context, followed, await statePathOf(context, path), bar);
  context.note(`${path}: following; Ctrl-C ends it`);
  try {
    for (let isNew = false;;) {
      const { streams } = following;
      try {
        await following.run();
        return Exit.interrupted;
      } catch (error) {
        // One that takes the place of another and fares no better: something else is wrong.
        if (!isForgotten(error) || isNew && following.streams === streams) throw error;
        context.warn(`${path}: ${error.rawMessage}; its lines are sent again, as a new stream`);
        await following.renew();
        isNew = true;
      }
    }
  } finally {
    bar.end();
    bars.stop();
    const { committed, rejected } = following;
    context.note(`${path}: ${count(committed)} lines since the start, ${count(rejected)} of them rejected`);
  }
}

/** A log that is followed. */
class Following {
  /** Streams that were finished. */
  streams = 0;
  /** Lines. */
  committed = 0;
  rejected = 0;
  #state: State | undefined;
  readonly #sluice: Sluice;
  readonly #start = performance.now();

  constructor(
    readonly context: Context,
    readonly followed: Followed,
    readonly statePath: string,
    readonly bar: Bar,
  ) {
    this.#sluice = context.createPatient();
  }

  /** Goes on where it was left, until it is interrupted. @throws {SluiceError} What ended a stream. */
  async run(): Promise<void> {
    const { context, followed: { path, fromEnd } } = this;
    this.#state = await readState(this.statePath);
    const from = this.#state?.position ?? (fromEnd ? "end" : "begin");
    const { follower, found } = await Follower.open(path, context.signal, from);
    await using _ = follower;
    if (this.#state !== undefined && !found) {
      context.warn(
        `${path}: what was left to be read is neither there nor in a file beside it; reading from the beginning`,
      );
      this.#state = undefined;
    }
    if (!follower.isOpen) context.note(`${path} is not there yet; it is waited for`);
    while (await follower.ready()) {
      const streamId = this.#state?.streamId ?? newStreamId(basename(path));
      await this.#write({ position: follower.position, streamId });
      const receipt = await this.#send(follower, streamId);
      await this.#write({ position: follower.position });
      this.streams++;
      this.#account(receipt);
    }
  }

  /** What a stream had brought that the server has forgotten cannot be asked any more: from its beginning on, a new one. */
  async renew(): Promise<void> {
    await this.#write({ position: this.#state!.position });
  }

  /** Sends a stream to its end. */
  async #send(follower: Follower, streamId: string): Promise<LogCollectionResult> {
    const segment = new Segment(follower, this.followed.read);
    const before = this.committed;
    /** Of a stream that goes on: what another run had committed. */
    let known: number | undefined;
    const receipt = await this.#sluice.sendLogs(segment.items(), {
      streamId,
      signal: this.context.signal,
      window: { ms: WINDOW_MS },
      onProgress: ({ committed }) => {
        known ??= committed;
        this.committed = before + committed - known;
        this.bar.update(this.committed, this.committed / ((performance.now() - this.#start) / 1000));
      },
    });
    await segment.passOver(Number(receipt.committed));
    return receipt;
  }

  async #write(state: State): Promise<void> {
    this.#state = state;
    await writeState(this.statePath, state);
  }

  #account({ indexedCount, errorCount, rejections }: LogCollectionResult): void {
    const { context, followed: { path } } = this;
    this.rejected += Number(errorCount);
    if (context.json) context.result({ input: path, stored: indexedCount, rejected: Number(errorCount) }, "");
    for (const { index, field, reason } of rejections.slice(0, 1)) {
      context.warn(`${path}: ${errorCount} rejected, the first of them entry ${Number(index) + 1}: ${field} ${reason}`);
    }
  }
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
