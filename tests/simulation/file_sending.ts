/**
 * Files as the streams of a client.
 *
 * @module
 */
import { createHash } from "node:crypto";
import type { DecodedChunk } from "../../decode/chunks.ts";
import { StreamKind } from "../../gen/sluice/v1/stream_pb.ts";
import { Random } from "./random.ts";
import { type Sending, TENANT } from "./stream_client.ts";
import type { World } from "./world.ts";

export class SentFile {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Lower-case hex. */
  readonly sha256: string;
  /** As the receipt says; undefined before. */
  id: string | undefined;

  constructor(readonly name: string, size: number, seed: number) {
    // Printable, as it is the text that it says it is.
    this.bytes = new Random(seed).bytes(size).map((byte) => 32 + byte % 95);
    this.sha256 = createHash("sha256").update(this.bytes).digest("hex");
  }
}

export function fileSending(world: World, file: SentFile, id: string): Sending {
  const { random } = world;
  const { bytes, sha256 } = file;
  const size = bytes.length;
  const tellsSize = random.chance(0.5);
  const checksums = random.chance(0.3);
  const largestChunk = random.pick([100, 10_000, 300_000]);

  function chunks(from: number, to: number, isLast: boolean): DecodedChunk[] {
    const made: DecodedChunk[] = [];
    for (let at = from; at < to || made.length === 0;) {
      // Not too many of a large file.
      const least = (to - from) / 50;
      const next = Math.min(to, at + Math.ceil(Math.max(largestChunk ** random.next(), least)));
      const data = bytes.subarray(at, next);
      const isLastChunk = isLast && next === to;
      made.push({
        fileName: at === from ? file.name : "",
        contentType: "",
        // A decoder gives out views of what will be used again.
        data: data.slice(),
        offset: BigInt(at),
        totalSize: tellsSize ? BigInt(size) : 0n,
        isLastChunk,
        checksum: checksums ? createHash("sha256").update(data).digest("hex") : "",
        fileChecksum: checksums && isLastChunk ? sha256 : "",
      });
      at = next;
    }
    return made;
  }

  return {
    kind: StreamKind.FILE,
    id,
    beganAt: world.scheduler.now,
    total: size,
    largest: Math.max(size, 1),
    expected: `${size} bytes ${sha256}`,
    async send(incoming, stream, from, to, isLast) {
      const { open, signal } = incoming;
      const batches: DecodedChunk[][] = [];
      for (const chunk of chunks(from, to, isLast)) {
        if (batches.length > 0 && random.chance(0.3)) batches[batches.length - 1].push(chunk);
        else batches.push([chunk]);
      }
      const call = { tenant: TENANT, signal, stream, isEndCertain: () => false };
      const receipt = await open.files.uploadFile(incoming.receive(batches), call);
      const finished = receipt.status === "completed";
      let result = `${receipt.totalSize} bytes ${receipt.checksum}`;
      if (finished) {
        file.id ??= receipt.fileId;
        if (file.id !== receipt.fileId) result += `, another file: ${receipt.fileId} and not ${file.id}`;
      }
      return { committed: Number(receipt.committed ?? 0n), finished, result };
    },
  };
}
