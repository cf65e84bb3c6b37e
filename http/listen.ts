/**
 * Listeners: plain, or TLS with certificates that can be changed while connections are open.
 *
 * @module
 */
import type { Front } from "./front.ts";

/** A certificate chain and its private key, as PEM. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

/**
 * Who else listens on the port: nobody; workers that will join, this one being the first; or workers that are there
 * already. Between workers, the kernel hands out connections by a hash of both addresses (SO_REUSEPORT).
 */
export type PortSharing = "alone" | "first" | "joining";

export interface ListenOptions {
  readonly hostname: string;
  /** 0 for a free one. */
  readonly port: number;
  /** Undefined for no TLS. */
  readonly certificate?: Certificate;
  /** "alone" if left out. */
  readonly sharing?: PortSharing;
}

export interface Listening {
  /** Where, such as `https://127.0.0.1:8443`. */
  readonly url: string;
  /** The port; not 0. */
  readonly port: number;
  /**
   * Under TLS, changes the certificate; one call after the other. Connections that are open keep theirs. Throws, and
   * changes nothing, if it is bad.
   */
  reload(certificate: Certificate): Promise<void>;
}

/** Reads a certificate from PEM files. */
export async function readCertificate(files: Certificate): Promise<Certificate> {
  const [cert, key] = await Promise.all([Deno.readTextFile(files.cert), Deno.readTextFile(files.key)]);
  return { cert, key };
}

/** Opens the port and serves it. Throws if another server has it. */
// Not a plain function: what it throws is to reach the caller as a rejection.
// deno-lint-ignore require-await
export async function listen(front: Front, options: ListenOptions): Promise<Listening> {
  const { hostname, port, certificate, sharing = "alone" } = options;
  const scheme = certificate ? "https" : "http";
  const open = (at: number, certificate: Certificate | undefined): Deno.Listener =>
    certificate
      ? Deno.listenTls({ hostname, port: at, ...certificate, alpnProtocols: ["h2", "http/1.1"], reusePort: true })
      : Deno.listen({ hostname, port: at, reusePort: sharing !== "alone" });
  // With reusePort, a port that another server has would be shared with it; without, it is refused.
  if (port !== 0 && sharing !== "joining") Deno.listen({ hostname, port }).close();
  let listener = open(port, certificate);
  let served = front.serve(listener, scheme);
  const actual = (listener.addr as Deno.NetAddr).port;

  async function replace(certificate: Certificate): Promise<void> {
    // Opened before the old one is closed: in between, connections would be refused.
    const next = open(actual, certificate);
    const servedNext = front.serve(next, scheme);
    listener.close();
    // The socket lives on until the accept that waits for it has ended, and the kernel still gives it connections.
    await served;
    [listener, served] = [next, servedNext];
  }

  let reloading: Promise<void> = Promise.resolve();
  return {
    url: `${scheme}://${hostname.includes(":") ? `[${hostname}]` : hostname}:${actual}`,
    port: actual,
    reload(certificate) {
      reloading = reloading.catch(() => {}).then(() => replace(certificate));
      return reloading;
    },
  };
}
