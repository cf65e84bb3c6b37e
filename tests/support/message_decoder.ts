/**
 * Any message for the ingest path, by protobuf-es.
 *
 * @module
 */
import { type DescMessage, fromBinary, type MessageShape } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import type { BatchDecoder } from "../../decode/decoder.ts";

export class MessageDecoder<D extends DescMessage> implements BatchDecoder<readonly MessageShape<D>[]> {
  #messages: MessageShape<D>[] = [];
  #size = 0;

  constructor(private readonly desc: D) {}

  get count(): number {
    return this.#messages.length;
  }

  get size(): number {
    return this.#size;
  }

  add(bytes: Uint8Array, start: number, end: number): void {
    try {
      this.#messages.push(fromBinary(this.desc, bytes.subarray(start, end)));
    } catch (error) {
      throw new ConnectError(`malformed message: ${error}`, Code.InvalidArgument);
    }
    this.#size += end - start;
  }

  take(): readonly MessageShape<D>[] {
    const taken = this.#messages;
    this.#messages = [];
    this.#size = 0;
    return taken;
  }
}
