/**
 * `sluice download`: a stored file, verified before it gets its name. What has come of it is kept beside it until it is
 * whole, so that the same command goes on there.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { constants, createWriteStream } from "node:fs";
import { type FileHandle, open, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import process from "node:process";
import type { FileInfo } from "../mod.ts";
import { type Bar, createBars } from "./bars.ts";
import type { Context, RunOn } from "./context.ts";
import type { Command } from "./deps.ts";
import { Exit } from "./exit.ts";
import { bytes } from "./format.ts";
import { STDIN } from "./inputs.ts";

/** Bytes that are read at once of what an earlier run has left. */
const READ_BYTES = 256 * 1024;

export function addDownload(
  program: Command,
  run: RunOn,
): void {
  program.command("download")
    .summary("download a file, verified by its SHA-256")
    .description("Downloads a file, verified by its SHA-256. One that was interrupted goes on.")
    .argument("<id>", "id of the file, as `sluice files` lists it")
    .option("-o, --output <path>", "where to write it: a file, a folder, or - for standard output (default: its name)")
    .addHelpText("after", EXAMPLES)
    .action((id: string, { output }: { output?: string }) =>
      run(
        (context) => download(context, id, output),
        output === STDIN ? "interrupted: what has come is not kept, so that the same command begins anew" : undefined,
      )
    );
}

const EXAMPLES = `
Examples:
  $ sluice download 01KAJ7Z0W5Q3
  $ sluice download 01KAJ7Z0W5Q3 --output reports/
  $ sluice download 01KAJ7Z0W5Q3 --output - | jq .items
`;

async function download(context: Context, id: string, output: string | undefined): Promise<number> {
  const file = await context.sluice.files.get(id, { signal: context.signal });
  const target = await targetOf(file, output);
  const bars = createBars(context);
  const transfer = new Transfer(context, id, file, bars.add(file.fileName, "bytes"));
  try {
    if (typeof target !== "string") {
      await transfer.into(target);
      return Exit.ok;
    }
    await intoFile(context, transfer, target, join(dirname(target), `${id}.part`));
    const { totalSize, checksum } = file;
    context.result(
      { path: target, fileId: id, totalSize, checksum },
      `${target}  ${bytes(Number(totalSize))}  sha256 ${checksum}`,
    );
    return Exit.ok;
  } finally {
    transfer.bar.end();
    bars.stop();
  }
}

/** The path to write to; or, of what is no file and so has no place for a half of one, the stream. */
async function targetOf({ fileName }: FileInfo, output: string | undefined): Promise<string | NodeJS.WritableStream> {
  if (output === STDIN) return process.stdout;
  const info = output === undefined ? undefined : await stat(output).catch(() => undefined);
  // A pipe or a device.
  if (info !== undefined && !info.isFile() && !info.isDirectory()) return createWriteStream(output!);
  if (output?.endsWith("/") && info === undefined) throw new Error(`${output}: there is no such folder`);
  if (output !== undefined && !info?.isDirectory()) return output;
  const path = join(output ?? ".", localName(fileName));
  if (await stat(path).catch(() => undefined) === undefined) return path;
  throw new Error(`${path} is there already: name it with --output to replace it`);
}

/** Whatever a server calls a file, it is written into the folder that was named, and is no hidden one there. */
export function localName(name: string): string {
  // deno-lint-ignore no-control-regex -- it is these that are looked for
  if (name !== "" && !/^\.|[/\\]|^[A-Za-z]:|[\u0000-\u001f\u007f-\u009f]/.test(name)) return name;
  throw new Error(`the server calls the file ${JSON.stringify(name)}: give another name with --output`);
}

/** Under its name there is only ever a whole file that has been verified. */
async function intoFile(context: Context, transfer: Transfer, path: string, part: string): Promise<void> {
  const file = await open(part, constants.O_RDWR | constants.O_CREAT);
  try {
    await transfer.complete(file, part);
    await file.sync();
  } catch (error) {
    const { size } = await file.stat();
    if (size === 0) await rm(part, { force: true });
    else context.note(`${part} keeps what has come, ${bytes(size)}`);
    throw error;
  } finally {
    await file.close();
  }
  await rename(part, path);
}

/** The bytes of a file, on their way. */
class Transfer {
  #done = 0;
  /** What did not come from the server. */
  #kept = 0;
  readonly #start = performance.now();

  constructor(
    readonly context: Context,
    readonly id: string,
    readonly file: FileInfo,
    readonly bar: Bar,
  ) {}

  /** Writes all of it. */
  async into(stream: NodeJS.WritableStream): Promise<void> {
    const failed = new Promise<never>((_, reject) => stream.once("error", reject));
    failed.catch(() => {});
    const written = (piece: Uint8Array) => new Promise<void>((resolve) => stream.write(piece, () => resolve()));
    for await (const piece of this.#from(0)) await Promise.race([failed, written(piece)]);
  }

  /** Writes what a file has not yet. Several that do so at once write the same bytes to the same places. */
  async complete(file: FileHandle, path: string): Promise<void> {
    const { context, file: { totalSize, checksum } } = this;
    const { size } = await file.stat();
    if (size > 0 && size <= totalSize) {
      context.note(`${path}: goes on after ${bytes(size)}`);
      const hash = createHash("sha256");
      for await (const piece of this.#keptIn(file, size)) hash.update(piece);
      for await (const piece of this.#from(size)) {
        hash.update(piece);
        await writeAt(file, piece, this.#done - piece.length);
      }
      if (hash.digest("hex") === checksum) return;
      context.warn(`${path}: what was there is not the beginning of the file: it is downloaded anew`);
    }
    await file.truncate();
    for await (const piece of this.#from(0)) await writeAt(file, piece, this.#done - piece.length);
  }

  async *#keptIn(file: FileHandle, size: number): AsyncGenerator<Uint8Array> {
    const buffer = new Uint8Array(READ_BYTES);
    for (let at = 0; at < size;) {
      this.context.signal.throwIfAborted();
      const { bytesRead } = await file.read(buffer, 0, Math.min(buffer.length, size - at), at);
      if (bytesRead === 0) return;
      at += bytesRead;
      this.#kept = at;
      this.#moveTo(at);
      yield buffer.subarray(0, bytesRead);
    }
  }

  /** Each chunk is verified; from the beginning on, so is the whole. */
  async *#from(offset: number): AsyncGenerator<Uint8Array> {
    const { sluice, signal } = this.context;
    this.#kept = offset;
    this.#moveTo(offset);
    if (offset > 0 && offset === Number(this.file.totalSize)) return;
    // Node's ReadableStream can be iterated, but its types and those of browsers differ.
    const reader = sluice.files.download(this.id, { offset, signal }).getReader();
    for (let result = await reader.read(); !result.done; result = await reader.read()) {
      this.#moveTo(this.#done + result.value.length);
      yield result.value;
    }
  }

  #moveTo(done: number): void {
    this.#done = done;
    const seconds = (performance.now() - this.#start) / 1000;
    this.bar.update(done, (done - this.#kept) / seconds, Number(this.file.totalSize));
  }
}

async function writeAt(file: FileHandle, piece: Uint8Array, position: number): Promise<void> {
  for (let at = 0; at < piece.length;) {
    const { bytesWritten } = await file.write(piece, at, piece.length - at, position + at);
    at += bytesWritten;
  }
}
