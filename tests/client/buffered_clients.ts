/**
 * Clients with a folder for their buffers, and a server for them that comes and goes.
 *
 * @module
 */
import { createSluice, type PointInit, type Sluice, type SluiceOptions } from "../../client/mod.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { numberedPoints } from "./buffered_points.ts";

/** So quick that a test with many failures is over soon. */
export const RETRY = { baseMs: 5, maxMs: 50, budget: 1000, budgetPerSecond: 1000 };

/** A server that can be stopped and started again at the same place, and clients with a folder of their own. */
export async function withServer(
  work: (o: {
    url: string;
    dir: string;
    state: string;
    /** Starts it; with `forgetful`, without anything that it had. */
    start(forgetful?: boolean): Promise<TestServer>;
    client(options?: Partial<SluiceOptions>): Sluice;
  }) => Promise<void>,
): Promise<void> {
  await using first = await startServer();
  const { url, dir } = first;
  const env = { SLUICE_LISTEN: `127.0.0.1:${new URL(url).port}` };
  await first.stop();
  const state = await Deno.makeTempDir({ prefix: "sluice-state-" });
  try {
    const start = (forgetful = false) => startServer({ ...!forgetful && { dir }, env });
    const client = (options = {}) => createSluice({ url, stateDir: state, retry: RETRY, ...options });
    await work({ url, dir, state, start, client });
  } finally {
    await Deno.remove(state, { recursive: true });
  }
}

/** Writes the points of a source from one number to another. */
export async function write(
  writer: { write(point: PointInit): unknown },
  source: string,
  from: number,
  to: number,
): Promise<void> {
  for (const point of numberedPoints(source, from, to)) await writer.write(point);
}
