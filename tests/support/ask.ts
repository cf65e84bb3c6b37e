/**
 * Questions to a server, with the answers as tests compare them.
 *
 * @module
 */
import type { Sluice } from "../../client/mod.ts";

/** The bytes of a file, or of a part of it. */
export async function download(sluice: Sluice, id: string, range?: { offset?: number; length?: number }) {
  return new Uint8Array(await new Response(sluice.files.download(id, range)).arrayBuffer());
}

type LogQuery = Parameters<Sluice["searchLogs"]>[0];

/** Entries on all pages. */
export async function searchAll(sluice: Sluice, request: LogQuery) {
  const hits = [];
  let opened = 0n, skipped = 0n;
  for (let pageToken = "";;) {
    const page = await sluice.searchLogs({ ...request, pageToken });
    hits.push(...page.hits);
    opened += page.segmentsOpened;
    skipped += page.segmentsSkipped;
    pageToken = page.nextPageToken;
    if (pageToken === "") return { hits, opened: Number(opened), skipped: Number(skipped) };
  }
}
