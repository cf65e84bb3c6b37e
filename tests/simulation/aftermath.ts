/**
 * What is looked at when nothing goes wrong any more and every client is done: what a power cut leaves, what housekeeping
 * leaves, and what comes of streams that are sent again when nobody remembers them.
 *
 * @module
 */
import { Code, ConnectError } from "@connectrpc/connect";
import { DAY, RUN_KEPT_MS } from "../../limits.ts";
import { checkParts, checkQueries, type Sent } from "./checks.ts";
import { type Content, inconsistencies, readContent } from "./content.ts";
import type { Deletions } from "./deletions.ts";
import { checkFiles, leftPieces, type SentFiles } from "./file_checks.ts";
import { openBlobs } from "../../store/open.ts";
import { KvClient } from "../../store/kv/kv.ts";
import type { BlobStore } from "../../store/types.ts";
import type { Surroundings } from "./instance.ts";
import type { Node, Open } from "./node.ts";
import type { StreamClient } from "./stream_client.ts";
import type { World } from "./world.ts";

/** How long an upload may stand still, and how long the record of a stream lives, ms. */
export const UPLOAD_EXPIRY = DAY;
export const STREAM_LIFETIME = 7 * DAY;

/** Rounds of housekeeping: for the first ones another instance may seem to hold the lease. */
const ROUNDS = 4;
const ROUND_PAUSE = 20_000;

export interface Left {
  readonly nodes: readonly Node[];
  readonly around: Surroundings;
  readonly sent: readonly Sent[];
  readonly files: readonly SentFiles[];
  readonly clients: readonly StreamClient[];
  readonly deletions: Deletions;
  /** Whether clocks were so far ahead that what was written then does not expire for long. */
  readonly farJumps: boolean;
}

/** Returns what is wrong. */
export async function lookAtWhatIsLeft(world: World, left: Left): Promise<string[]> {
  const { nodes, around, sent, files, deletions, farJumps } = left;
  const { scheduler } = world;
  // Whatever a client was told is to outlive this too.
  for (const { process } of nodes) process?.crash();
  around.disk.powerCut();
  // What is late arrives, and what is garbage grows old.
  world.isOver = true;
  await scheduler.sleep(4 * UPLOAD_EXPIRY);
  for (const { instance } of nodes) instance.clock.offset = 0;
  const open = await ready(world, nodes);
  await keepHouse(world, open);
  // What runs were made of goes a little later.
  await scheduler.sleep(2 * RUN_KEPT_MS);
  await keepHouse(world, open);
  const blobs = await openRawBlobs(nodes[0], around);
  const content = await readContent(around.kv, blobs);
  const found = [
    ...inconsistencies(content),
    ...await deletions.settle(open.stores, farJumps),
    ...checkParts(sent, content, deletions),
    ...await checkQueries(sent, content, open.stores, scheduler.now, deletions),
    ...await checkFiles(files, content, open.stores),
    ...farJumps ? [] : leftPieces(content, around),
  ];
  if (!farJumps && found.length === 0) found.push(...await sendForgotten(world, left, open, content, blobs));
  return found;
}

/** Lets every record of a stream expire and sends all of them again: nothing must come of it, however clocks are set. */
async function sendForgotten(
  world: World,
  left: Left,
  open: Open,
  before: Content,
  blobs: BlobStore,
): Promise<string[]> {
  const { around, clients, nodes } = left;
  const { scheduler, random } = world;
  await scheduler.sleep(STREAM_LIFETIME + DAY);
  await keepHouse(world, open);
  const found: string[] = [];
  const { streams } = await readContent(around.kv, blobs);
  if (streams.size > 0) found.push(`records that have expired are there: ${[...streams.keys()]}`);
  for (const node of nodes) node.instance.clock.offset = random.pick([0, 0, -STREAM_LIFETIME, -2 * STREAM_LIFETIME]);
  for (const client of clients) {
    // Of one of which nothing was stored there was no record: for a clock that was set back it is new.
    if (![...before.streams.keys()].some((name) => name.endsWith(`/${client.sending.id}`))) continue;
    const error = await client.sendFromBeginning().then(() => undefined, (error) => error);
    const isRefused = error instanceof ConnectError &&
      (error.code === Code.FailedPrecondition || error.code === Code.InvalidArgument);
    if (!isRefused) found.push(`${client.sending.id}: forgotten and sent again: ${error}`);
  }
  await scheduler.sleep(60_000);
  const { parts, files } = await readContent(around.kv, blobs);
  if (parts.size !== before.parts.size || [...parts].some(([part, times]) => before.parts.get(part) !== times)) {
    found.push("streams that were forgotten and sent again have brought items");
  }
  if (files.size !== before.files.size) found.push("streams that were forgotten and sent again have brought files");
  return found;
}

/** The blob store by itself, for a reader that nothing happens to. */
export async function openRawBlobs({ instance, options: { config } }: Node, around: Surroundings): Promise<BlobStore> {
  const { process, platform } = instance.start();
  return openBlobs(config, new KvClient(await around.kv.open(process), process), platform);
}

async function keepHouse(world: World, open: Open): Promise<void> {
  for (let round = 0; round < ROUNDS; round++) {
    await open.stores.keepHouse(new AbortController().signal);
    await world.scheduler.sleep(ROUND_PAUSE);
  }
}

/** A node that serves. */
async function ready(world: World, nodes: readonly Node[]): Promise<Open> {
  for (;;) {
    const open = nodes.find((node) => node.open)?.open;
    if (open) return open;
    await world.scheduler.sleep(1000);
  }
}
