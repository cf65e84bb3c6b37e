/**
 * Sending points and log entries.
 *
 * @module
 */
import type { Core } from "./core.ts";
import { ItemsFeed } from "./items_feed.ts";
import type { WindowLimits } from "./window_limits.ts";
import type { Kind } from "./kinds.ts";
import { producerOf } from "./producers.ts";
import { Meter, type OnProgress, Sending } from "./progress.ts";
import { Sender } from "./sender.ts";
import { newStreamId } from "./stream_id.ts";
import type { FieldWriter } from "./writer.ts";

/** How items are sent. */
export interface SendOptions {
  /** In items. */
  onProgress?: OnProgress;
  signal?: AbortSignal;
  /** How long all of it may take, retries and all, ms. Default: that of the client. */
  deadlineMs?: number;
  /** What the stream's id begins with, for those who look at the server's streams. */
  streamName?: string;
  /**
   * Goes on with a stream that broke off: the server is asked what it has, and so many of the items, which must be the
   * same from the first, are passed over. See {@linkcode SluiceError.streamId}.
   */
  streamId?: string;
  /** Bounds of a window, one call of the stream. Default: 8 MiB, 100,000 items; 5 s streamed, 1 s if sent whole. */
  window?: WindowLimits;
}

/** Sends the items of an iterable to its end. */
export function sendItems<T, R>(
  core: Core,
  kind: Kind<R>,
  write: (writer: FieldWriter, item: T, index: number) => void,
  items: Iterable<T> | AsyncIterable<T>,
  options: SendOptions = {},
): Sending<R> {
  return Sending.run(async (tell) => {
    const { streamId = newStreamId(options.streamName) } = options;
    const feed = new ItemsFeed<T>(producerOf(items), {
      write,
      clock: core.clock,
      rate: core.rate,
      window: options.window,
      total: Array.isArray(items) ? items.length : undefined,
    });
    const meter = new Meter(feed, core.clock);
    const onProgress = () => {
      tell(meter);
      options.onProgress?.(meter.progress);
    };
    const resume = options.streamId !== undefined;
    return await new Sender(core, kind, feed, { ...options, streamId, resume, onProgress }).run();
  });
}
