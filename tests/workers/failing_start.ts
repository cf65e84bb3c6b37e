/**
 * Starts a worker on a port that is taken, and prints what the operator is told; see pool_test.ts.
 *
 * @module
 */
import { readConfig } from "../../config.ts";
import { StartError } from "../../server.ts";
import { allocateCommon } from "../../workers/common.ts";
import { startWorkers } from "../../workers/pool.ts";

const [data] = Deno.args;
const taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
const config = readConfig({ SLUICE_DATA: data, SLUICE_WORKERS: "2" });
try {
  await startWorkers(1, { config, port: taken.addr.port, certificate: undefined, memory: allocateCommon() });
} catch (error) {
  if (!(error instanceof StartError)) throw error;
  console.log(error.message);
}
Deno.exit(0);
