/**
 * Reads runs: the footer, which is kept for the next question, and those segments that a question needs, as few reads as
 * they take.
 *
 * @module
 */
import { Code, ConnectError } from "@connectrpc/connect";
import { RUN_FOOTER_CACHE_BYTES, RUN_READ_BYTES } from "../../../limits.ts";
import { ensureFilled, type RunSegment } from "../../format/run_footer.ts";
import { FORMAT } from "../../format/value.ts";
import type { BlobStore, ByteRange } from "../../types.ts";
import type { RunKind } from "../keys.ts";
import type { KvClient } from "../kv.ts";
import { intact, openValue } from "../records.ts";
import type { Run } from "./run_list.ts";

export interface RunReaderOptions {
  readonly kv: KvClient;
  readonly blobs: BlobStore;
}

/** What the entry of a segment takes in memory beside its bytes, about. */
const SEGMENT_BYTES = 500;

/** A footer that is kept, or is being read. */
interface KeptFooter<S> {
  readonly segments: Promise<readonly S[]>;
  /** What it takes in memory; 0 while it is being read. */
  bytes: number;
}

/** Reads runs whose footers have segments of type S. */
export class RunReader<S extends RunSegment> {
  /** By id of the run, the one that was used last at the end. */
  readonly #footers = new Map<string, KeptFooter<S>>();
  /** Bytes of all of them. */
  #cached = 0;

  constructor(
    private readonly options: RunReaderOptions,
    readonly kind: RunKind,
    private readonly decodeFooter: (bytes: Uint8Array) => S[],
    private readonly formatOf: (segment: S) => number,
  ) {}

  /** What is in a run. DATA_LOSS if its footer is damaged or missing. */
  async segments(run: Run): Promise<readonly S[]> {
    const known = this.#footers.get(run.id);
    this.#footers.delete(run.id);
    const footer = known ?? { segments: this.#readFooter(run), bytes: 0 };
    this.#footers.set(run.id, footer);
    try {
      const segments = await footer.segments;
      if (footer.bytes === 0) this.#count(run, footer, segments);
      return segments;
    } catch (error) {
      // Whoever asks next reads it again.
      if (this.#footers.get(run.id) === footer) this.#footers.delete(run.id);
      throw error;
    }
  }

  /**
   * The contents of some segments of a run, in order. One that is damaged is reported and left out: undefined stands in its
   * place. A run that is gone is DATA_LOSS.
   */
  async *open(run: Run, wanted: readonly S[]): AsyncGenerator<readonly [S, Uint8Array | undefined]> {
    for (let first = 0; first < wanted.length;) {
      let end = first + 1;
      const start = wanted[first].offset;
      const isNext = (at: number) =>
        wanted[at].offset === wanted[at - 1].offset + wanted[at - 1].length &&
        wanted[at].offset + wanted[at].length - start <= RUN_READ_BYTES;
      while (end < wanted.length && isNext(end)) end++;
      const bytes = await this.#read(run, { start, end: wanted[end - 1].offset + wanted[end - 1].length });
      for (const segment of wanted.slice(first, end)) {
        const at = segment.offset - start;
        yield [segment, this.#payload(run, segment, bytes.subarray(at, at + segment.length))];
      }
      first = end;
    }
  }

  #payload(run: Run, segment: S, value: Uint8Array): Uint8Array | undefined {
    try {
      return openValue(this.formatOf(segment), 0, value);
    } catch (error) {
      if (!(error instanceof ConnectError && error.code === Code.DataLoss)) throw error;
      this.reportDamage(run, error);
      return undefined;
    }
  }

  /** Tells whoever watches that a run is damaged. */
  reportDamage(run: Run, error: unknown): void {
    this.options.kv.reportDamage(run.entry.key, error);
  }

  async #read(run: Run, range: ByteRange): Promise<Uint8Array> {
    const bytes = new Uint8Array(range.end - range.start);
    let at = 0;
    for await (const part of this.options.blobs.read(run.id, run.pieces, range)) {
      bytes.set(part, at);
      at += part.length;
    }
    return bytes;
  }

  async #readFooter(run: Run): Promise<readonly S[]> {
    const bytes = await this.#read(run, { start: run.footer, end: run.size });
    const format = this.kind === "points" ? FORMAT.pointRunFooter : FORMAT.logRunFooter;
    const payload = openValue(format, 0, bytes) ?? bytes;
    return intact(() => {
      const decoded = this.decodeFooter(payload);
      ensureFilled(decoded, run.footer);
      return decoded;
    });
  }

  /** Counts a footer that has been read, once, and drops those that were not used for the longest. */
  #count(run: Run, footer: KeptFooter<S>, segments: readonly S[]): void {
    if (this.#footers.get(run.id) !== footer) return;
    footer.bytes = run.size - run.footer + segments.length * SEGMENT_BYTES;
    this.#cached += footer.bytes;
    for (const [id, { bytes }] of this.#footers) {
      if (this.#cached <= RUN_FOOTER_CACHE_BYTES) break;
      this.#footers.delete(id);
      this.#cached -= bytes;
    }
  }
}
