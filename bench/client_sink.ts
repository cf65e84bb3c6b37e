/**
 * What the client's bench sends to: counts the messages of a body and answers with a receipt, and does nothing else.
 *
 * @module
 */
import { create, toBinary } from "@bufbuild/protobuf";
import { CollectionResultSchema } from "../gen/sluice/v1/data_collection_pb.ts";

/** Starts this file as a process of its own. */
export async function startSink(): Promise<Disposable & { url: string }> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", import.meta.filename!],
    stdin: "null",
    stdout: "piped",
  }).spawn();
  const { value: port } = await child.stdout.pipeThrough(new TextDecoderStream()).getReader().read();
  return { url: `http://127.0.0.1:${port?.trim()}`, [Symbol.dispose]: () => child.kill("SIGKILL") };
}

/** Prints the port it listens on, and serves. */
async function serveSink(): Promise<void> {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  console.log(listener.addr.port);
  for await (const connection of listener) serveSinkConnection(connection).catch(() => connection.close());
}

/** HTTP/1.1 with as little work as can be: Deno.serve would take longer over a chunked body than the clients do. */
async function serveSinkConnection(connection: Deno.Conn): Promise<void> {
  const buffer = new Uint8Array(256 * 1024);
  const decoder = new TextDecoder("latin1");
  /** Of a head, or of a chunk's first line, that has not all come. */
  let text = "";
  let inHead = true;
  /** Bytes of the chunk, and the line's end after it, that are still to come. */
  let left = 0;
  let counter = new MessageCounter(0);
  for (let n = await connection.read(buffer); n !== null; n = await connection.read(buffer)) {
    let at = 0;
    while (at < n) {
      const skipped = Math.min(left, n - at);
      // Without the line's end.
      counter.pass(buffer.subarray(at, at + Math.max(0, Math.min(skipped, left - 2))));
      left -= skipped;
      at += skipped;
      if (at === n) break;
      const end = buffer.indexOf(0x0a, at);
      text += decoder.decode(buffer.subarray(at, end < 0 || end >= n ? n : end + 1));
      if (end < 0 || end >= n) break;
      at = end + 1;
      if (inHead) {
        if (!text.endsWith("\r\n\r\n")) continue;
        counter = new MessageCounter(Number(/sluice-start: (\d+)/i.exec(text)?.[1] ?? 0));
        [inHead, text] = [false, ""];
        continue;
      }
      const length = parseInt(text, 16);
      text = "";
      // With the line's end after it; after the last chunk, it is that of an empty line.
      left = length + 2;
      if (length > 0) continue;
      await answer(connection, counter.messages);
      inHead = true;
    }
  }
  connection.close();
}

/** Counts the messages of a body from one envelope's header to the next. */
class MessageCounter {
  #header = 0;
  #length = 0;
  #left = 0;

  constructor(public messages: number) {}

  pass(bytes: Uint8Array): void {
    const end = bytes.length;
    let at = Math.min(this.#left, end);
    this.#left -= at;
    while (at < end) {
      // Most headers are whole.
      if (this.#header === 0 && at + 5 <= end) {
        const length = (bytes[at + 1] << 24 | bytes[at + 2] << 16 | bytes[at + 3] << 8 | bytes[at + 4]) >>> 0;
        at += 5 + length;
        this.messages++;
        this.#left = Math.max(0, at - end);
        continue;
      }
      this.#length = this.#header === 0 ? 0 : this.#length * 256 + bytes[at];
      at++;
      if (++this.#header < 5) continue;
      this.#header = 0;
      this.messages++;
      at += this.#length;
      this.#left = Math.max(0, at - end);
    }
  }
}

async function answer(connection: Deno.Conn, messages: number): Promise<void> {
  const receipt = toBinary(CollectionResultSchema, create(CollectionResultSchema, { committed: BigInt(messages) }));
  const body = [0, 0, 0, 0, receipt.length, ...receipt, 2, 0, 0, 0, 2, 0x7b, 0x7d];
  const head = `HTTP/1.1 200 OK\r\ncontent-type: application/connect+proto\r\ncontent-length: ${body.length}\r\n\r\n`;
  const writer = connection.writable.getWriter();
  await writer.write(new Uint8Array([...new TextEncoder().encode(head), ...body]));
  writer.releaseLock();
}

if (import.meta.main) await serveSink();
