/**
 * Compares the files that clients have sent with those that are stored, and looks for pieces that were left behind.
 *
 * @module
 */
import type { Stores } from "../../store/open.ts";
import type { Content } from "./content.ts";
import type { SentFile } from "./file_sending.ts";
import type { Surroundings } from "./instance.ts";
import { type StreamClient, TENANT } from "./stream_client.ts";

export interface SentFiles {
  readonly client: StreamClient;
  readonly file: SentFile;
}

const never = new AbortController().signal;

/** Each finished file must be there once, with all of its bytes, and no other file but perhaps those that were refused. */
export async function checkFiles(sent: readonly SentFiles[], { files }: Content, stores: Stores): Promise<string[]> {
  const found: string[] = [];
  const stored = new Map([...files].map(([id, record]) => [record.fileName, id]));
  if (stored.size < files.size) found.push(`files were stored twice: ${[...files.values()].map((f) => f.fileName)}`);
  for (const { client, file } of sent) {
    const id = stored.get(file.name);
    stored.delete(file.name);
    if (id === undefined) {
      if (client.outcome === "finished") found.push(`file ${file.name} is not there`);
      continue;
    }
    if (file.id !== undefined && file.id !== id) found.push(`file ${file.name} is ${id} and not ${file.id}`);
    const wrong = await differs(file, id, stores);
    if (wrong) found.push(`file ${file.name}: ${wrong}`);
  }
  if (stored.size > 0) found.push(`files nobody sent: ${[...stored.keys()]}`);
  return found;
}

async function differs(file: SentFile, id: string, stores: Stores): Promise<string | undefined> {
  const info = await stores.files.get(TENANT, id);
  if (info?.sha256 !== file.sha256 || info.size !== file.bytes.length) {
    return `it is ${info?.size} bytes ${info?.sha256} and should be ${file.bytes.length} bytes ${file.sha256}`;
  }
  let at = 0;
  try {
    for await (const data of stores.files.read(TENANT, id, { start: 0, end: info.size }, never)) {
      for (const byte of data) if (byte !== file.bytes[at++]) return `byte ${at - 1} is wrong`;
    }
  } catch (error) {
    return `it cannot be read from byte ${at} on: ${error}`;
  }
  return at === info.size ? undefined : `${at} of ${info.size} bytes can be read`;
}

/** Pieces that no file names, although nobody writes any more and all that is garbage is old. */
export function leftPieces({ files, runs, claims, pieces }: Content, { disk, s3 }: Surroundings): string[] {
  const found: string[] = [];
  const named = new Set<string>();
  for (const [id, { pieces }] of [...files, ...runs]) for (const { epoch } of pieces) named.add(`${id}.${epoch}`);
  const onDisk = disk.tree().map((path) => /([^/]+):\d+$/.exec(path)?.[1] ?? path);
  const inBucket = [...s3.objects.keys()].map((key) => key.split("/").slice(-3, -1).join("."));
  for (const piece of new Set([...pieces, ...onDisk, ...inBucket])) {
    if (!named.has(piece)) found.push(`piece ${piece} is left, and no file or run names it`);
  }
  for (const [id, { finished }] of claims) {
    if (!finished) found.push(`blob ${id} is still claimed`);
    else if (!files.has(id) && !runs.has(id)) found.push(`blob ${id} is claimed, and there is no such file or run`);
  }
  return found;
}
