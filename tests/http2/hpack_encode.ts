/** Adds to the blocks of hpack_vectors.py, on standard input, what our encoder makes of their fields. */
import { HpackEncoder } from "../../http2/hpack/encoder.ts";

interface Block {
  fields: [string, string][];
  tableSize?: number;
  ours?: string;
}

const connections: Block[][] = await new Response(Deno.stdin.readable).json();
for (const blocks of connections) {
  const encoder = new HpackEncoder(4096, 4096);
  for (const block of blocks) {
    if (block.tableSize !== undefined) encoder.permitTableSize(block.tableSize);
    encoder.begin();
    for (const [name, value] of block.fields) encoder.field(name, value);
    block.ours = encoder.buffer.subarray(0, encoder.length).toHex();
  }
}
console.log(JSON.stringify(connections));
