/**
 * The two ways to send a window, and which of them the platform has.
 *
 * @module
 */
import { SluiceError } from "./errors.ts";
import type { OnEvent } from "./events.ts";
import { hasNodeModules } from "./platform.ts";

/**
 * `stream`: a window's body goes out while the producer makes its items. `windows`: a window is sent whole, as one
 * ordinary request, which works in every browser and through every proxy. Framing, headers, receipts and resuming are
 * the same.
 */
export type Way = "stream" | "windows";

/** `auto` finds out what works. */
export type Transport = "auto" | Way;

/** HTTP statuses of those who want a body's length beforehand, or cannot take one in chunks. */
const NO_STREAMING_STATUSES = [411, 501, 505];

/** Which way streams are sent now. It can be changed at any time: the next window goes the other way. */
export class WayChoice {
  #transport: Transport;
  #way: Way;
  /** Whether a streamed call has been answered, so that streaming cannot be what is wrong. */
  #proven = false;

  constructor(transport: Transport, urls: readonly string[], readonly onEvent: OnEvent) {
    this.#transport = transport;
    const [way, why] = transport === "auto" ? detect(urls) : [transport, "it was asked for"] as const;
    this.#way = way;
    this.onEvent({ type: "transport", way, why });
  }

  get way(): Way {
    return this.#way;
  }

  /** Changes the way from the next window on. */
  use(way: Way, why = "it was asked for"): void {
    this.#transport = way;
    this.#change(way, why);
  }

  /** A call on this way was answered by a server of ours. */
  worked(way: Way): void {
    if (way === "stream") this.#proven = true;
  }

  /** A call on this way failed: whether that was for want of streaming, and the other way should be tried at once. */
  failed(way: Way, error: SluiceError, status: number | undefined): boolean {
    if (way !== "stream" || this.#transport !== "auto" || this.#way !== "stream") return false;
    if (status !== undefined && NO_STREAMING_STATUSES.includes(status)) {
      this.#change("windows", `a proxy answered HTTP ${status} to a streamed body`);
      return true;
    }
    // Browsers say no more than that the fetch failed, where there is no HTTP/2 to stream over.
    if (hasNodeModules || this.#proven || error.reason !== "connection") return false;
    this.#change("windows", `a streamed call failed: ${error.rawMessage}`);
    return true;
  }

  #change(way: Way, why: string): void {
    if (way === this.#way) return;
    this.#way = way;
    this.onEvent({ type: "transport", way, why });
  }
}

/** What `auto` begins with. */
function detect(urls: readonly string[]): readonly [Way, string] {
  if (hasNodeModules) return ["stream", "this platform's fetch streams bodies"];
  if (!streamsBodies()) return ["windows", "this browser's fetch does not stream bodies"];
  if (urls.some((url) => url.startsWith("http:"))) {
    return ["windows", "browsers stream bodies over HTTP/2 only, which they speak over https alone"];
  }
  return ["stream", "this browser's fetch streams bodies over HTTP/2"];
}

/** Whoever streams bodies asks for `duplex`; whoever does not makes a text of the stream, and names its type. */
function streamsBodies(): boolean {
  let asked = false;
  try {
    const { headers } = new Request("https://localhost/", {
      method: "POST",
      body: new ReadableStream(),
      get duplex() {
        asked = true;
        return "half";
      },
    } as RequestInit);
    return asked && !headers.has("content-type");
  } catch {
    return false;
  }
}
