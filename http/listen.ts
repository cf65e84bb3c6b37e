/**
 * Listeners: plain, or TLS with certificates that can be changed while connections are open.
 *
 * @module
 */
import type { Front } from "./front.ts";

export interface ListenOptions {
  readonly hostname: string;
  readonly port: number;
  /** PEM files. */
  readonly tls: { readonly cert: string; readonly key: string } | undefined;
}

export interface Listening {
  /** Where, such as `https://127.0.0.1:8443`. */
  readonly url: string;
  /** Reads the certificates again. Connections that are open keep theirs. Throws, and changes nothing, if they are bad. */
  reload(): Promise<void>;
}

/** Opens the port and serves it. */
export async function listen(front: Front, { hostname, port, tls }: ListenOptions): Promise<Listening> {
  const open = async (at: number): Promise<Deno.Listener> => {
    if (!tls) return Deno.listen({ hostname, port: at });
    const [cert, key] = await Promise.all([Deno.readTextFile(tls.cert), Deno.readTextFile(tls.key)]);
    return Deno.listenTls({ hostname, port: at, cert, key, alpnProtocols: ["h2", "http/1.1"], reusePort: true });
  };
  const scheme = tls ? "https" : "http";
  let listener = await open(port);
  let served = front.serve(listener, scheme);
  const actual = (listener.addr as Deno.NetAddr).port;
  const host = hostname.includes(":") ? `[${hostname}]` : hostname;
  return {
    url: `${scheme}://${host}:${actual}`,
    async reload() {
      if (!tls) return;
      // Opened before the old one is closed: in between, connections would be refused.
      const next = await open(actual);
      const servedNext = front.serve(next, scheme);
      listener.close();
      // The socket lives on until the accept that waits for it has ended, and the kernel still gives it connections.
      await served;
      [listener, served] = [next, servedNext];
    },
  };
}
