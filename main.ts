/**
 * Sluice: reads the configuration, starts the server and its further workers, and answers to signals.
 *
 * @module
 */
import { systemClock } from "./clock.ts";
import { type Config, ConfigError, readConfig } from "./config.ts";
import { readCertificate } from "./http/listen.ts";
import { SHUTDOWN_MS } from "./limits.ts";
import { createFetchHandler } from "./rpc/fetch_host.ts";
import { logEvent } from "./rpc/log.ts";
import { openServer, StartError, starting } from "./server.ts";
import { allocateCommon, openCommon } from "./workers/common.ts";
import { startWorkers } from "./workers/pool.ts";

if (Deno.args.length > 0) {
  console.error(
    "Usage: deno run -A main.ts\nAll settings are environment variables, such as SLUICE_LISTEN: see README.md.",
  );
  Deno.exit(2);
}
const clock = systemClock;
const config = readConfigOrExit();
try {
  if (config.onDeploy) await serveOnDeploy();
  else await serveOnOnePort();
} catch (error) {
  if (!(error instanceof StartError)) throw error;
  console.error(error.message);
  Deno.exit(1);
}

/** Deno Deploy has Deno.serve only: no native gRPC, no signals, and no workers. */
async function serveOnDeploy(): Promise<void> {
  const server = await openServer(config, clock);
  server.keepHouse();
  logEvent("warn", "anyone who reaches this server may read, write and delete everything");
  Deno.serve({
    ...config.address,
    onListen: ({ hostname, port }) => announce(`http://${hostname}:${port}`, "Connect and gRPC-Web"),
  }, createFetchHandler(server.handler));
}

async function serveOnOnePort(): Promise<void> {
  const { address, tls, workers } = config;
  const certificate = tls && await starting("read the certificate", readCertificate(tls));
  // This thread runs the first of the servers, and alone keeps house.
  const memory = workers > 1 ? allocateCommon() : undefined;
  const server = await openServer(config, clock, memory && openCommon(memory));
  server.keepHouse();
  const listening = await server.listen(address.port, certificate, memory ? "first" : "alone");
  if (memory && Deno.build.os !== "linux") {
    logEvent("warn", "this system does not spread connections over workers: one of them may get all");
  }
  const pool = memory && await startWorkers(workers - 1, { config, port: listening.port, certificate, memory });
  announce(listening.url, "gRPC, gRPC-Web and Connect over HTTP/1.1 and HTTP/2");

  if (tls) {
    // Read once, for all: files that change in between must not part the workers.
    const reload = async () => {
      const certificate = await readCertificate(tls);
      await listening.reload(certificate);
      await pool?.reload(certificate);
    };
    let reloading = Promise.resolve();
    Deno.addSignalListener("SIGHUP", () => {
      reloading = reloading.then(reload).then(
        () => logEvent("info", "certificates were read again"),
        (error) => logEvent("error", "certificates could not be read, the old ones stay", { error }),
      );
    });
  }
  let isStopping = false;
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    Deno.addSignalListener(signal, () => {
      // The first one stops the server in order, a second one at once.
      if (isStopping) Deno.exit(130);
      isStopping = true;
      logEvent("info", "stopping", { signal });
      // It exits in time, whatever hangs.
      clock.setTimer(SHUTDOWN_MS, () => {
        logEvent("warn", "connections were still open at the end of the time for stopping");
        Deno.exit(0);
      });
      void Promise.all([server.stop(), pool?.stop()]).then(() => Deno.exit(0));
    });
  }
}

function announce(url: string, protocols: string): void {
  console.log(`listening on ${url} (${protocols})`);
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
