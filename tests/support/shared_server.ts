/**
 * One server for all tests of a file.
 *
 * @module
 */
import { type StartOptions, startServer, type TestServer } from "./server.ts";

/** Starts a server that ends with the last test of the file. */
export async function sharedServer(options: StartOptions = {}): Promise<TestServer> {
  const server = await startServer(options);
  Deno.test.afterAll(async () => await server[Symbol.asyncDispose]());
  return server;
}
