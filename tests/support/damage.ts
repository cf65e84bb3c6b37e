/**
 * Damage to what a stopped server keeps on disk: one bit, as a disk may flip it.
 *
 * @module
 */
import { DatabaseSync } from "node:sqlite";
import { piecePath } from "../../store/blob/file.ts";

/** Flips a bit of byte `at` of a blob that has one piece. */
export async function flipInBlob(dir: string, blobId: string, at: number): Promise<void> {
  const path = piecePath(`${dir}/blobs`, blobId, 1);
  const bytes = await Deno.readFile(path);
  bytes[at] ^= 0x10;
  await Deno.writeFile(path, bytes);
}

/** Flips a bit in the middle of the first value whose key begins with `kind`, in the table of a local KV. */
export function flipInKv(dir: string, kind: string): void {
  const db = new DatabaseSync(`${dir}/kv.sqlite`);
  try {
    // A key's part that is a string is 2, its UTF-8, 0.
    const prefix = Uint8Array.of(2, ...new TextEncoder().encode(kind), 0);
    const find = db.prepare("SELECT k, v FROM kv WHERE substr(k, 1, ?) = ? ORDER BY k LIMIT 1");
    const row = find.get(prefix.length, prefix) as { k: Uint8Array; v: Uint8Array };
    const value = row.v.slice();
    value[value.length >> 1] ^= 0x10;
    db.prepare("UPDATE kv SET v = ? WHERE k = ?").run(value, row.k);
  } finally {
    db.close();
  }
}
