/**
 * Ports for programs that do not say which they took.
 *
 * @module
 */

export function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return (listener.addr as Deno.NetAddr).port;
}
