/**
 * Uploads files of 1 GiB that are made on the fly, each with both checksums in chunks of 32 KiB, and deletes each once it
 * is stored. Prints the bytes that the receipts have: `deno run -A bench/memory/send_files.ts URL FILES`.
 *
 * @module
 */
import { createSluice } from "../../client/mod.ts";
import { GIB, KIB } from "../../limits.ts";

const [url, files] = [Deno.args[0], Number(Deno.args[1])];

async function* lines(bytes: number): AsyncGenerator<Uint8Array> {
  const block = new TextEncoder().encode("1795472327513,host-17,cpu,42.125\n".repeat(8192));
  for (let left = bytes; left > 0; left -= block.length) yield block.subarray(0, Math.min(left, block.length));
}

const sluice = createSluice({ url });
let stored = 0;
for (let i = 0; i < files; i++) {
  const receipt = await sluice.uploadFile(lines(GIB), { name: `large-${i}.csv`, chunkSize: 32 * KIB });
  stored += Number(receipt.totalSize);
  await sluice.files.delete(receipt.fileId);
}
console.log(stored);
