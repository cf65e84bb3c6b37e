/**
 * The program that connectconformance starts, once for each kind of server: `program.ts HOST DESCRIPTORS`. It reads a
 * ServerCompatRequest from standard input, serves, and writes a ServerCompatResponse to standard output; each has its
 * length before it, in four bytes. It runs until it is killed.
 *
 * @module
 */
import { create, type DescService, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import { conformanceService, messageNamed, readDescriptors } from "./descriptors.ts";
import { type HostName, HOSTS, startHost } from "./hosts.ts";
import type { ServerCompatRequest } from "./messages.ts";
import { createConformanceService, createIngestHandlers } from "./service.ts";

const [host, descriptors] = Deno.args;
if (!isHost(host)) throw new Error(`Cannot serve as ${JSON.stringify(host)}: known are ${HOSTS.join(", ")}`);

const registry = await readDescriptors(descriptors);
const asked = await new Response(Deno.stdin.readable).bytes();
const request = fromBinary(messageNamed(registry, "ServerCompatRequest"), asked.subarray(4)) as ServerCompatRequest;

// Of a service that is known at run time only, the types know no method.
// The router does not know of the ingest path's method, so that nothing but that path can answer it.
const { clientStream, ...service } = createConformanceService(registry);
const decoder = new TextDecoder();
const { useTls, serverCreds, messageReceiveLimit } = request;
const port = startHost(host, {
  tls: useTls && serverCreds
    ? { cert: decoder.decode(serverCreds.cert), key: decoder.decode(serverCreds.key) }
    : undefined,
  readMaxBytes: messageReceiveLimit,
  registry,
  routes: (router) =>
    router.service(conformanceService(registry), service as Record<string, unknown> as ServiceImpl<DescService>),
  ingest: (options) => createIngestHandlers(conformanceService(registry), clientStream, options),
});

const responseSchema = messageNamed(registry, "ServerCompatResponse");
const pemCert = useTls ? serverCreds?.cert : undefined;
const response = toBinary(responseSchema, create(responseSchema, { host: "127.0.0.1", port, pemCert }));
const prefixed = new Uint8Array(4 + response.length);
new DataView(prefixed.buffer).setUint32(0, response.length);
prefixed.set(response, 4);
for (let at = 0; at < prefixed.length;) at += await Deno.stdout.write(prefixed.subarray(at));

function isHost(name: string | undefined): name is HostName {
  return HOSTS.some((host) => host === name);
}
