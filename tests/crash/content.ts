/**
 * What the clients send: every item and every byte follows from a number, so that it can be sent again and looked for
 * afterwards.
 *
 * @module
 */
import { createHash } from "node:crypto";
import type { LogInit, PointInit } from "../../client/mod.ts";
import { KIB } from "../../limits.ts";
import { textBytes } from "../support/chunks.ts";
import type { Items, TestFile } from "../support/resuming_streams.ts";

const BLOCK = 64 * KIB;
const STAMP = 32;
const template = textBytes(BLOCK);
const encoder = new TextEncoder();

/** A file of text lines; no two blocks of 64 KiB of any two files are the same. */
export function makeFile(name: string, size: number): TestFile {
  const read = (start: number, end: number): Uint8Array<ArrayBuffer> => {
    const bytes = new Uint8Array(end - start);
    const stamped = template.slice();
    for (let block = Math.floor(start / BLOCK); block * BLOCK < end; block++) {
      stamped.set(encoder.encode(`${block},${name},`.slice(0, STAMP).padEnd(STAMP, "-")));
      const from = Math.max(start, block * BLOCK);
      const to = Math.min(end, (block + 1) * BLOCK);
      bytes.set(stamped.subarray(from - block * BLOCK, to - block * BLOCK), from - start);
    }
    return bytes;
  };
  let digest: string | undefined;
  return {
    name,
    size,
    read,
    get sha256() {
      if (digest !== undefined) return digest;
      const hash = createHash("sha256");
      for (let at = 0; at < size; at += 16 * BLOCK) hash.update(read(at, Math.min(size, at + 16 * BLOCK)));
      return digest = hash.digest("hex");
    },
  };
}

/** Points or log entries of one name: the `index`-th has the timestamp `begin + index * step`. */
export interface Series {
  readonly name: string;
  readonly count: number;
  /** ms since the epoch. */
  readonly begin: number;
  readonly step: number;
}

export const METRICS = ["index", "double"] as const;

/** Points of a source, with two metrics. */
export function pointsOf({ name, count, begin, step }: Series): Items<PointInit> {
  return {
    count,
    at: (i) => ({
      source: name,
      timestamp: begin + i * step,
      metrics: { index: i, double: doubleOf(i) },
      tags: { kind: "crash" },
    }),
  };
}

/** No whole number, so that it goes another way through the packing. */
export function doubleOf(index: number): number {
  return Math.sqrt(index);
}

/** Log entries of an application. */
export function logsOf({ name, count, begin, step }: Series): Items<LogInit> {
  return {
    count,
    at: (i) => ({
      application: name,
      timestamp: begin + i * step,
      level: ["info", "warn", "error"][i % 3],
      message: messageOf(name, i),
      fields: { index: String(i) },
    }),
  };
}

export function messageOf(name: string, index: number): string {
  return `entry ${index} of ${name}: ${(index * 2654435761 % 4294967296).toString(16)}`;
}
