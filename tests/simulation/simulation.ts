/**
 * One run: a cluster, clients, and all that goes wrong, determined by a seed.
 *
 * @module
 */
import { ulid } from "ulid";
import { DAY } from "../../limits.ts";
import type { BlobsConfig, StoresConfig } from "../../store/open.ts";
import { makeChaos } from "./chaos.ts";
import { lookAtWhatIsLeft, openRawBlobs, STREAM_LIFETIME, UPLOAD_EXPIRY } from "./aftermath.ts";
import type { Sent } from "./checks.ts";
import { Deletions } from "./deletions.ts";
import { watchCompaction } from "./compaction.ts";
import { SimDisk } from "./disk.ts";
import type { DeliberateFault } from "./deliberate_faults.ts";
import type { SentFiles } from "./file_checks.ts";
import { fileSending, SentFile } from "./file_sending.ts";
import type { Surroundings } from "./instance.ts";
import { Logs, Points } from "./items.ts";
import { SimKv } from "./kv.ts";
import { Node, type Wrappers } from "./node.ts";
import { watchRealSources } from "./real_sources.ts";
import { SimS3 } from "./s3.ts";
import { logsSending, pointsSending } from "./sendings.ts";
import { type Sending, StreamClient } from "./stream_client.ts";
import { useSyncCrypto } from "./sync_crypto.ts";
import { World } from "./world.ts";

export interface RunOptions {
  readonly seed: number;
  /** A mistake to make. */
  readonly fault?: DeliberateFault;
  /** Told of every line of the trace. */
  readonly print?: (line: string) => void;
}

export interface RunResult {
  readonly violations: readonly string[];
  /** Of the trace. */
  readonly hash: string;
  readonly events: number;
  readonly calls: number;
}

const S3: BlobsConfig = {
  kind: "s3",
  url: "http://s3.example/bucket",
  prefix: "p/",
  region: "r",
  accessKeyId: "id",
  secretAccessKey: "secret",
  sessionToken: undefined,
};
/** Bounds for the numbers of bytes and of items that clients send. */
const FILE_SIZES = [100, 5000, 200_000, 200_000, 3_000_000];
const ITEM_COUNTS = [3, 50, 500];
const MAX_EVENTS = 3_000_000;
const RETENTION = 30 * DAY;

export async function runSimulation({ seed, fault = {}, print }: RunOptions): Promise<RunResult> {
  const world = new World({ seed, faults: true, print });
  const violations: string[] = [];
  const violation = (what: string) => {
    world.note("VIOLATION", what);
    violations.push(what);
  };
  let calls = 0;
  using _watch = watchRealSources((what) => violation(`a real source: ${what}`));
  using _crypto = useSyncCrypto();
  using _fault = fault.install?.();
  try {
    await world.scheduler.complete(async () => calls = await scenario(world, fault, violation), MAX_EVENTS);
  } catch (error) {
    violation(`the simulation failed: ${error instanceof Error ? error.stack : error}`);
  }
  return { violations, hash: world.trace.hash(), events: world.scheduler.events, calls };
}

async function scenario(world: World, wrap: Wrappers, violation: (what: string) => void): Promise<number> {
  const { scheduler, random, faults } = world;
  const disk = new SimDisk(world);
  // Whoever runs the service has made this one.
  disk.makeDirectory("/data");
  disk.directory("/").sync();
  const around: Surroundings = { kv: new SimKv(), disk, s3: new SimS3("bucket") };
  const config = {
    ...stores(random.pick<BlobsConfig>([{ kind: "file", path: "/data/blobs" }, { kind: "kv" }, S3])),
    compactFrom: random.pick([1, 2, 8]),
  };
  const farJumps = random.chance(0.1);
  world.note("world", `${config.blobs.kind}${farJumps ? " far jumps" : ""}: ${faults}`);
  const nodes = Array.from(
    { length: random.pick([1, 2, 2, 3]) },
    (_, i) => new Node(world, `node${i}`, around, { config, wrap, maxFileBytes: 2 ** 30, violation }),
  );
  for (const node of nodes) node.start();

  const sent: Sent[] = [];
  const files: SentFiles[] = [];
  const client = (sending: Sending) =>
    new StreamClient(world, nodes, sending, { mayBeRefused: farJumps, mayGiveUp: true, violation });
  const begin = (name: string): StreamClient => {
    const own = random.fork();
    const id = name + ulid(scheduler.now, () => own.next());
    if (own.chance(0.4)) {
      const file = new SentFile(`${name}.txt`, Math.floor(own.pick(FILE_SIZES) ** own.next()) - 1, own.uint32());
      files.push({ client: client(fileSending(world, file, id)), file });
      return files[files.length - 1].client;
    }
    const count = Math.floor(own.pick(ITEM_COUNTS) ** own.next());
    const seed = own.uint32();
    const items = own.chance(0.5)
      ? new Points(name, count, seed, scheduler.now)
      : new Logs(name, count, seed, scheduler.now);
    const sending = items instanceof Points ? pointsSending(world, items, id) : logsSending(world, items, id);
    sent.push({ client: client(sending), items });
    return sent[sent.length - 1].client;
  };
  const sending = Array.from(
    { length: random.between(1, 6) },
    (_, i) => scheduler.sleep(random.between(0, 5000)).then(() => begin(`s${i}`).run()),
  );
  await makeChaos(world, { nodes, disk, farJumps }, random.pick([2000, 10_000, 30_000]));
  faults.stop();
  world.calmSince = scheduler.now;
  world.note("world", "calm");
  await Promise.all(sending);
  const blobs = await openRawBlobs(nodes[0], around);
  const deletions = new Deletions();
  await watchCompaction(world, { nodes, around, disk, blobs, sent, deletions, violation });

  const clients = [...sent, ...files].map(({ client }) => client);
  for (const found of await lookAtWhatIsLeft(world, { nodes, around, sent, files, clients, deletions, farJumps })) {
    violation(found);
  }
  return clients.reduce((sum, { calls }) => sum + calls, 0);
}

function stores(blobs: BlobsConfig): StoresConfig {
  return {
    data: "/data",
    kv: "http://kv.example",
    blobs,
    minFreeBytes: 2 ** 20,
    retention: RETENTION,
    maxSeries: 10_000,
    uploadExpiry: UPLOAD_EXPIRY,
    streamLifetime: STREAM_LIFETIME,
    maxStreams: 1000,
    coldAfter: 6 * 3600_000,
  };
}
