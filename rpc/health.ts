/**
 * grpc.health.v1: whether the server takes work, as probes and load balancers ask.
 *
 * @module
 */
import { Code, ConnectError, type ServiceImpl } from "@connectrpc/connect";
import { type Clock, pause } from "../clock.ts";
import { type Health, HealthCheckResponse_ServingStatus as Status } from "../gen/grpc/health/v1/health_pb.ts";
import { HEALTH_WATCH_MS } from "../limits.ts";

/** `services` are the names that are known; all are served or none is. */
export function createHealth(
  services: ReadonlySet<string>,
  isReady: () => Promise<boolean>,
  clock: Clock,
): ServiceImpl<typeof Health> {
  const isKnown = (service: string) => service === "" || services.has(service);
  const statusOf = async (service: string) => {
    if (!isKnown(service)) return Status.SERVICE_UNKNOWN;
    return await isReady() ? Status.SERVING : Status.NOT_SERVING;
  };
  return {
    async check({ service }) {
      if (!isKnown(service)) throw new ConnectError(`unknown service ${JSON.stringify(service)}`, Code.NotFound);
      return { status: await statusOf(service) };
    },

    async *watch({ service }, { signal }) {
      let last: Status | undefined;
      // Ends by what aborts the signal, never by itself: to a client whose deadline passed, an OK would be wrong.
      for (;;) {
        const status = await statusOf(service);
        if (status !== last) yield { status };
        last = status;
        await pause(clock, HEALTH_WATCH_MS, signal);
      }
    },
  };
}
