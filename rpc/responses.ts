/**
 * Plain answers in the shape that every host takes.
 *
 * @module
 */
import { createAsyncIterable, type UniversalServerResponse } from "@connectrpc/connect/protocol";

const encoder = new TextEncoder();

/** A line of text. */
export function plain(status: number, text: string, header: Record<string, string> = {}): UniversalServerResponse {
  const bytes = encoder.encode(`${text}\n`);
  return {
    status,
    header: new Headers({
      "content-type": "text/plain; charset=utf-8",
      "content-length": String(bytes.length),
      ...header,
    }),
    body: createAsyncIterable([bytes]),
  };
}

/** Whether a list of entity tags names this one. */
export function listsTag(header: string | null, etag: string): boolean {
  if (header === null) return false;
  return header.trim() === "*" || header.split(",").some((tag) => tag.trim() === etag);
}
