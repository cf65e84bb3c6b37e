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
  /**
   * Under TLS, reads the certificates again; one call after the other. Connections that are open keep theirs. Throws, and
   * changes nothing, if they are bad.
   */
  readonly reload: (() => Promise<void>) | undefined;
}

/** Opens the port and serves it. */
export async function listen(front: Front, { hostname, port, tls }: ListenOptions): Promise<Listening> {
  const host = hostname.includes(":") ? `[${hostname}]` : hostname;
  if (!tls) {
    const listener = Deno.listen({ hostname, port });
    void front.serve(listener, "http");
    return { url: `http://${host}:${listener.addr.port}`, reload: undefined };
  }

  const open = async (at: number): Promise<Deno.TlsListener> => {
    const [cert, key] = await Promise.all([Deno.readTextFile(tls.cert), Deno.readTextFile(tls.key)]);
    return Deno.listenTls({ hostname, port: at, cert, key, alpnProtocols: ["h2", "http/1.1"], reusePort: true });
  };
  // With reusePort, a port that another server has would be shared with it; without, it is refused.
  if (port !== 0) Deno.listen({ hostname, port }).close();
  let listener = await open(port);
  let served = front.serve(listener, "https");
  const actual = listener.addr.port;

  async function replace(): Promise<void> {
    // Opened before the old one is closed: in between, connections would be refused.
    const next = await open(actual);
    const servedNext = front.serve(next, "https");
    listener.close();
    // The socket lives on until the accept that waits for it has ended, and the kernel still gives it connections.
    await served;
    [listener, served] = [next, servedNext];
  }

  let reloading: Promise<void> = Promise.resolve();
  return {
    url: `https://${host}:${actual}`,
    reload() {
      reloading = reloading.catch(() => {}).then(replace);
      return reloading;
    },
  };
}
