/**
 * Sluice: configuration, stores, services, listener and shutdown. Nothing else sees everything.
 *
 * @module
 */
import { systemClock } from "./clock.ts";
import { type Config, ConfigError, readConfig } from "./config.ts";
import { unavailable } from "./errors.ts";
import { SECOND, SHUTDOWN_MS } from "./limits.ts";
import { createFetchHandler } from "./rpc/fetch_host.ts";
import { createHttpHandler } from "./rpc/http_handler.ts";
import { logEvent } from "./rpc/log.ts";
import { createRouter } from "./rpc/router.ts";
import { createDataCollectionService } from "./services/data_collection.ts";
import { createFileUploadService } from "./services/file_upload.ts";
import { createQueryService } from "./services/query.ts";
import { openStores, type Stores } from "./store/open.ts";

/** How long calls that are open may go on once the server is told to stop, ms. */
const GRACE_MS = 1 * SECOND;

const config = readConfigOrExit();
const clock = systemClock;
const stores = await openStores(config, clock);
const stopping = new AbortController();
const ended = new AbortController();

const isReady = async () => !stopping.signal.aborted && await stores.isReady();
const { maxFileBytes, allowedExtensions, retention, logRules } = config;
const files = createFileUploadService({ files: stores.files, maxFileBytes, allowedExtensions });
const router = createRouter({
  files,
  collection: createDataCollectionService({ points: stores.points, logs: stores.logs, clock, retention, logRules }),
  query: createQueryService({ points: stores.points, logs: stores.logs, clock }),
}, { grpc: false, shutdownSignal: ended.signal, isReady, clock });
const handler = createHttpHandler({ router, files, isReady });

const server = Deno.serve({
  ...config.address,
  onListen: ({ hostname, port }) => {
    const host = hostname.includes(":") ? `[${hostname}]` : hostname;
    console.log(`listening on http://${host}:${port} (Connect and gRPC-Web over HTTP/1.1 and HTTP/2)`);
  },
  onError(error) {
    logEvent("error", "a request failed", { error });
    return new Response("internal error\n", { status: 500 });
  },
}, createFetchHandler(handler));

keepHouseEvery(config.housekeeping, stores, stopping.signal);
if (!config.onDeploy) stopOnSignals();

function readConfigOrExit(): Config {
  try {
    return readConfig(Deno.env.toObject());
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    console.error(`Cannot start:\n${error.message}`);
    Deno.exit(1);
  }
}

function keepHouseEvery(interval: number, stores: Stores, signal: AbortSignal): void {
  const round = async () => {
    try {
      const removed = await stores.keepHouse(signal);
      if (Object.values(removed).some((count) => count > 0)) logEvent("info", "housekeeping", { ...removed });
    } catch (error) {
      if (signal.aborted) return;
      logEvent("warn", "housekeeping failed and will be tried again", { error });
    }
    if (!signal.aborted) cancel = clock.setTimer(interval, round);
  };
  let cancel = clock.setTimer(interval, round);
  signal.addEventListener("abort", () => cancel());
}

/** The first SIGINT or SIGTERM stops the server in order, a second one at once. */
function stopOnSignals(): void {
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    Deno.addSignalListener(signal, () => {
      if (stopping.signal.aborted) Deno.exit(130);
      logEvent("info", "stopping", { signal });
      void stop();
    });
  }
}

/** Takes no more calls, lets those that are open end, and exits in time whatever hangs. */
async function stop(): Promise<void> {
  stopping.abort();
  clock.setTimer(SHUTDOWN_MS - SECOND, () => {
    logEvent("warn", "calls were still open at the end of the time for stopping");
    Deno.exit(0);
  });
  clock.setTimer(GRACE_MS, () => ended.abort(unavailable("the server is stopping")));
  await server.shutdown();
  stores.close();
  Deno.exit(0);
}
