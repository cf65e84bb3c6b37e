/**
 * The thread that reads blobs again: 0.6 s of hashing a GiB would keep the serving thread from its calls.
 *
 * @module
 */
import { Code, ConnectError } from "@connectrpc/connect";
import { systemClock } from "../../clock.ts";
import { openRaw, type RawConfig, reasonOf } from "../open_raw.ts";
import { systemPlatform } from "../platform.ts";
import { createInlineRehash } from "./inline.ts";
import type { Answer, Order } from "./messages.ts";
import type { Rehash, RehashJob } from "./rehash.ts";

/** The part of a worker's global scope that is used. */
interface WorkerScope {
  onmessage: (event: MessageEvent<Order>) => void;
  postMessage(answer: Answer): void;
}

const scope = globalThis as unknown as WorkerScope;
const jobs = new Map<number, RehashJob>();
let rehash: Promise<Rehash>;

scope.onmessage = async ({ data: order }) => {
  if (order.type === "open") {
    rehash = open(order.config);
    // Told to whoever asks for a digest.
    rehash.catch(() => {});
    return;
  }
  try {
    await perform(await rehash, order);
  } catch (thrown) {
    if (order.type !== "digest") return;
    const isDataLoss = thrown instanceof ConnectError && thrown.code === Code.DataLoss;
    const message = isDataLoss ? thrown.rawMessage : reasonOf(thrown);
    scope.postMessage({ id: order.id, error: { isDataLoss, message } });
  }
};

async function open(config: RawConfig): Promise<Rehash> {
  const { blobs } = await openRaw(config, systemPlatform(systemClock));
  return createInlineRehash(blobs);
}

async function perform(rehash: Rehash, order: Exclude<Order, { type: "open" }>): Promise<void> {
  const job = jobs.get(order.job);
  if (order.type === "start") jobs.set(order.job, rehash.start(order.blobId));
  else if (order.type === "follow") job?.follow(order.pieces);
  else if (order.type === "cancel") {
    job?.cancel();
    jobs.delete(order.job);
  } else if (job) scope.postMessage({ id: order.id, digest: await job.digest() });
}
