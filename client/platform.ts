/**
 * What the client runs on.
 *
 * @module
 */

/** Whether Node's modules are there: so in Deno, Node and Bun, not in a browser. */
export const hasNodeModules: boolean =
  (globalThis as { process?: { versions?: { node?: string } } }).process?.versions?.node !== undefined;
