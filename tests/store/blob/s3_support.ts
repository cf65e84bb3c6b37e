/**
 * The S3 blob store on a server whose answers a test decides on.
 *
 * @module
 */
import { assertRejects } from "@std/assert";
import { type Code, ConnectError } from "@connectrpc/connect";
import { ulid } from "ulid";
import { type Clock, systemClock } from "../../../clock.ts";
import { S3_MAX_RETRY_MS } from "../../../limits.ts";
import { createS3BlobStore } from "../../../store/blob/s3.ts";
import { systemPlatform } from "../../../store/platform.ts";
import { answer, type ScriptedServer } from "./http_script.ts";

/** How many times faster timers run, so that what they are for is seen without being waited for. */
export const HURRY = 30;
export const hurried = clockOf(() => true);
/** Only pauses are short: a busy machine misses no deadline. */
export const brisk = clockOf((ms) => ms <= S3_MAX_RETRY_MS);
function clockOf(hurries: (ms: number) => boolean): Clock {
  return { ...systemClock, setTimer: (ms, fn) => systemClock.setTimer(hurries(ms) ? ms / HURRY : ms, fn) };
}

export const ID = ulid();
export const PIECE = `p/${ID}/1/`;

export const open = (server: ScriptedServer, clock = brisk) => openAt(server.url, clock);

export function openAt(url: string, clock = brisk) {
  const credentials = { accessKeyId: "key", secretAccessKey: "secret", sessionToken: "token" };
  const config = { url: `${url}/bucket`, prefix: "p/", region: "somewhere-1", ...credentials };
  return createS3BlobStore(config, systemPlatform(clock));
}

/** The listing of a piece with parts of these sizes. */
export function listing(...sizes: number[]): Uint8Array {
  let offset = 0;
  const contents = sizes.map((size) => {
    const key = PIECE + String(offset).padStart(12, "0");
    offset += size;
    return `<Contents><Key>${key}</Key><LastModified>2026-01-02T03:04:05.000Z</LastModified><Size>${size}</Size></Contents>`;
  });
  return answer(
    200,
    `<?xml version="1.0"?><ListBucketResult><IsTruncated>false</IsTruncated>${contents.join("")}</ListBucketResult>`,
  );
}

export const contentsOf = (whole: Uint8Array) => new TextDecoder().decode(whole).split("\r\n\r\n")[1];
export const EMPTY = listing();
export const refusal = (status: number, code = "") => answer(status, `<Error><Code>${code}</Code></Error>`);

export async function codeOf(promise: () => Promise<unknown>): Promise<Code> {
  return (await assertRejects(promise, ConnectError)).code;
}
