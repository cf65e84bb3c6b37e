/**
 * A network that stops in the middle of what is sent, until it is told to go on.
 *
 * @module
 */

export interface HaltingProxy extends AsyncDisposable {
  readonly url: string;
  /** From now on, everything passes, also what was held up. */
  release(): void;
}

/** A TCP proxy that passes so many bytes of each connection on to the server at `url`, or back from it, and then none. */
export function startHaltingProxy(
  url: string,
  bytes: number,
  halted: "requests" | "answers" = "requests",
): HaltingProxy {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const released = Promise.withResolvers<void>();
  const open = new Set<Deno.Conn>();
  let limit = bytes;

  const copy = async (from: Deno.Conn, to: Deno.Conn, isHalted: boolean) => {
    const buffer = new Uint8Array(64 * 1024);
    let passed = 0;
    try {
      for (let length = await from.read(buffer); length !== null; length = await from.read(buffer)) {
        for (let at = 0; at < length;) at += await to.write(buffer.subarray(at, length));
        passed += length;
        if (isHalted && passed >= limit) await released.promise;
      }
    } catch {
      // One of them is gone; so is the other, then.
    }
    for (const conn of [from, to]) close(conn);
  };
  const close = (conn: Deno.Conn) => {
    if (open.delete(conn)) conn.close();
  };
  const accepting = (async () => {
    for await (const client of listener) {
      const server = await Deno.connect({ hostname: "127.0.0.1", port: Number(new URL(url).port) });
      open.add(client).add(server);
      void copy(client, server, halted === "requests");
      void copy(server, client, halted === "answers");
    }
  })();
  return {
    url: `http://127.0.0.1:${(listener.addr as Deno.NetAddr).port}`,
    release() {
      limit = Infinity;
      released.resolve();
    },
    async [Symbol.asyncDispose]() {
      listener.close();
      released.resolve();
      for (const conn of open) close(conn);
      await accepting;
    },
  };
}
