/**
 * Sluice: configuration, stores, services, listener and shutdown. Nothing else sees everything.
 *
 * @module
 */
import { systemClock } from "./clock.ts";
import { type Config, ConfigError, readConfig } from "./config.ts";
import { unavailable } from "./errors.ts";
import { createFront } from "./http/front.ts";
import { listen } from "./http/listen.ts";
import { SHUTDOWN_GRACE_MS, SHUTDOWN_MS } from "./limits.ts";
import { createFetchHandler } from "./rpc/fetch_host.ts";
import { createHttpHandler } from "./rpc/http_handler.ts";
import { logEvent } from "./rpc/log.ts";
import { createRouter } from "./rpc/router.ts";
import { createDataCollectionService } from "./services/data_collection.ts";
import { createFileUploadService } from "./services/file_upload.ts";
import { createQueryService } from "./services/query.ts";
import { openStores, type Stores } from "./store/open.ts";

const config = readConfigOrExit();
const clock = systemClock;
const stores = await orExit("open the stores", openStores(config, clock, reportDamage));
/** Aborts when the server is told to stop: it takes no more work. */
const stopping = new AbortController();
/** Aborts a little later: calls that are still open end. */
const ended = new AbortController();
const isReady = async () => !stopping.signal.aborted && await stores.isReady();

const { maxFileBytes, allowedExtensions, retention, logRules } = config;
const files = createFileUploadService({ files: stores.files, maxFileBytes, allowedExtensions });
const router = createRouter({
  files,
  collection: createDataCollectionService({ points: stores.points, logs: stores.logs, clock, retention, logRules }),
  query: createQueryService({ points: stores.points, logs: stores.logs, clock }),
}, { grpc: !config.onDeploy, shutdownSignal: ended.signal, isReady, clock });
const handler = createHttpHandler({ router, files, isReady });

keepHouseEvery(config.housekeeping, stores, stopping.signal);
if (config.onDeploy) serveOnDeploy();
else await serveOnOnePort();

/** Deno Deploy has Deno.serve only: no native gRPC, and no signals. */
function serveOnDeploy(): void {
  logEvent("warn", "anyone who reaches this server may read, write and delete everything");
  Deno.serve({
    ...config.address,
    onListen: ({ hostname, port }) => announce(`http://${hostname}:${port}`, "Connect and gRPC-Web"),
  }, createFetchHandler(handler));
}

async function serveOnOnePort(): Promise<void> {
  const { address, tls, maxConnectionAge } = config;
  const front = createFront(handler, {
    clock,
    maxConnectionAge,
    onError: (error) => logEvent("error", "a request failed", { error }),
  });
  const listening = await orExit("listen", listen(front, { ...address, tls }));
  announce(listening.url, "gRPC, gRPC-Web and Connect over HTTP/1.1 and HTTP/2");
  const { reload } = listening;
  if (reload) {
    Deno.addSignalListener("SIGHUP", () => {
      reload().then(
        () => logEvent("info", "certificates were read again"),
        (error) => logEvent("error", "certificates could not be read, the old ones stay", { error }),
      );
    });
  }
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    Deno.addSignalListener(signal, () => {
      // The first one stops the server in order, a second one at once.
      if (stopping.signal.aborted) Deno.exit(130);
      logEvent("info", "stopping", { signal });
      void stop(() => front.shutdown(SHUTDOWN_MS));
    });
  }
}

/** Takes no more calls, lets those that are open end, and exits in time whatever hangs. */
async function stop(closeListener: () => Promise<void>): Promise<void> {
  stopping.abort();
  clock.setTimer(SHUTDOWN_MS, () => {
    logEvent("warn", "connections were still open at the end of the time for stopping");
    Deno.exit(0);
  });
  clock.setTimer(SHUTDOWN_GRACE_MS, () => ended.abort(unavailable("the server is stopping")));
  await closeListener();
  stores.close();
  Deno.exit(0);
}

function reportDamage(key: string, error: unknown): void {
  logEvent("error", "a stored value is damaged and was passed over", { key, error });
}

function announce(url: string, protocols: string): void {
  console.log(`listening on ${url} (${protocols})`);
}

/** What start-up needs; without it, one line says why, and the process ends. */
async function orExit<T>(what: string, starting: Promise<T>): Promise<T> {
  try {
    return await starting;
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? `: ${error.cause.message}` : "";
    console.error(`Cannot ${what}: ${error instanceof Error ? error.message : error}${cause}`);
    Deno.exit(1);
  }
}

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
