/**
 * The server that the tests of the suite share, on one port.
 *
 * @module
 */
import { sharedServer } from "../support/shared_server.ts";

export const server = await sharedServer();
/** Host and port. */
export const target = new URL(server.url).host;
