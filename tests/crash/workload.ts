/**
 * Clients that stream files, points and log entries, one stream after the other, until they are told that it is enough.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { HOUR, KIB, MIB } from "../../limits.ts";
import type { Random } from "../store/format/random.ts";
import { newStreamId, ResumingClient, sleep, type Traffic } from "../support/resuming_client.ts";
import { logsPlan, pointsPlan, type TestFile, uploadPlan } from "../support/resuming_streams.ts";
import { logsOf, makeFile, pointsOf, type Series } from "./content.ts";

export interface WorkloadOptions {
  /** How many clients of each kind. */
  readonly clients: { readonly files: number; readonly points: number; readonly logs: number };
  /** The URLs that the `index`-th client uses. */
  endpoints(index: number): readonly string[];
  /** For each client its own. */
  random(): Random;
  /** ms. */
  readonly callMs?: number;
  readonly stuckMs?: number;
}

/** All that was sent to its end. */
export interface Sent {
  readonly files: TestFile[];
  readonly points: Series[];
  readonly logs: Series[];
  /** Finished streams that were sent a second time. */
  replays: number;
}

export class Workload {
  readonly sent: Sent = { files: [], points: [], logs: [], replays: 0 };
  /** What broke a promise. */
  readonly faults: Error[] = [];
  readonly #clients: ResumingClient[] = [];
  readonly #running: Promise<void>[] = [];
  #enough = false;
  #streams = 0;

  constructor(readonly options: WorkloadOptions) {
    const { clients, endpoints, random } = options;
    let index = 0;
    const start = (count: number, send: (client: ResumingClient, name: string) => Promise<void>) => {
      for (; count > 0; count--) {
        const own = random();
        // Slow streams are nearly always under way when something happens; fast ones fill what there is to fill.
        let slow = true;
        const client = new ResumingClient({
          endpoints: endpoints(index),
          http2: index++ % 2 === 1,
          random: own,
          callMs: options.callMs,
          stuckMs: options.stuckMs,
          // Windows that are mostly through within a life of the server, for progress is committed once a second.
          maxBytes: MIB,
          pace: () => slow && !this.#enough ? sleep(own.next() * 100) : undefined,
        });
        this.#clients.push(client);
        this.#running.push(this.#repeat(async () => {
          slow = own.next() < 0.8;
          await send(client, `s${++this.#streams}`);
        }));
      }
    };
    start(clients.files, (client, name) => this.#sendFile(client, name));
    start(clients.points, (client, name) => this.#sendPoints(client, name));
    start(clients.logs, (client, name) => this.#sendLogs(client, name));
  }

  /** Lets every client finish its stream at full speed, and waits for that. */
  async finish(): Promise<void> {
    this.#enough = true;
    await Promise.all(this.#running);
    for (const client of this.#clients) client[Symbol.dispose]();
  }

  /** What all clients have sent together. */
  get traffic(): Traffic {
    const sum: Traffic = { calls: 0, items: 0, itemsAgain: 0, bytes: 0, bytesAgain: 0, failures: new Map() };
    for (const { traffic } of this.#clients) {
      for (const key of ["calls", "items", "itemsAgain", "bytes", "bytesAgain"] as const) sum[key] += traffic[key];
      for (const [name, count] of traffic.failures) sum.failures.set(name, (sum.failures.get(name) ?? 0) + count);
    }
    return sum;
  }

  async #repeat(send: () => Promise<void>): Promise<void> {
    while (!this.#enough && this.faults.length === 0) {
      try {
        await send();
      } catch (error) {
        this.faults.push(error as Error);
      }
    }
  }

  async #sendFile(client: ResumingClient, name: string): Promise<void> {
    const { random } = client;
    const kind = random.next();
    // Many small ones, some of several blocks, a few that take many crashes to get through.
    const size = kind < 0.05 ? 0 : kind < 0.97 ? Math.floor((8 * MIB) ** random.next()) : 30 * MIB;
    const file = makeFile(`${name}.csv`, size);
    this.sent.files.push(file);
    const plan = uploadPlan(client, file, { id: newStreamId(`file-${name}-`), chunkSize: 256 * KIB });
    const receipt = await client.run(plan);
    assertEquals(
      [receipt.fileName, Number(receipt.totalSize), receipt.checksum, receipt.status],
      [file.name, size, file.sha256, "completed"],
    );
    if (this.#replays(random)) assertEquals((await client.run(plan)).fileId, receipt.fileId, name);
  }

  async #sendPoints(client: ResumingClient, name: string): Promise<void> {
    const series = makeSeries(client.random, `points-${name}`);
    this.sent.points.push(series);
    const plan = pointsPlan(client, pointsOf(series), newStreamId(`${name}-`));
    const receipt = await client.run(plan);
    const counts = [series.count, series.count, 0];
    assertEquals([receipt.totalProcessed, receipt.successfulCount, receipt.errorCount], counts, name);
    if (this.#replays(client.random)) assertEquals((await client.run(plan)).successfulCount, series.count, name);
  }

  async #sendLogs(client: ResumingClient, name: string): Promise<void> {
    const series = makeSeries(client.random, `logs-${name}`);
    this.sent.logs.push(series);
    const plan = logsPlan(client, logsOf(series), newStreamId(`${name}-`));
    const receipt = await client.run(plan);
    assertEquals([receipt.totalReceived, receipt.indexedCount, receipt.status], [
      series.count,
      series.count,
      "completed",
    ]);
    if (this.#replays(client.random)) assertEquals((await client.run(plan)).indexedCount, series.count, name);
  }

  #replays(random: Random): boolean {
    if (random.next() >= 0.1) return false;
    this.sent.replays++;
    return true;
  }
}

/** Up to 10,000 items, over up to some hours. */
function makeSeries(random: Random, name: string): Series {
  const count = Math.ceil(10_000 ** random.next());
  const step = 1 + random.below(1000);
  return { name, count, step, begin: Date.now() - count * step - random.below(HOUR) };
}
