/**
 * gzip for messages, bounded while it inflates: connect-es looks at the size only afterwards, when a bomb has already
 * gone off.
 *
 * @module
 */
import type { Compression } from "@connectrpc/connect/protocol";
import { promisify } from "node:util";
import { gunzip, gzip, type ZlibOptions } from "node:zlib";
import { invalidArgument, overLimit } from "../errors.ts";

const compress = promisify(gzip);
const decompress = promisify<Uint8Array, ZlibOptions, Uint8Array>(gunzip);

export const gzipCompression: Compression = {
  name: "gzip",
  compress: (bytes) => compress(bytes) as Promise<Uint8Array<ArrayBuffer>>,
  async decompress(bytes, readMaxBytes) {
    if (bytes.length === 0) return new Uint8Array(0);
    try {
      return await decompress(bytes, { maxOutputLength: readMaxBytes }) as Uint8Array<ArrayBuffer>;
    } catch (error) {
      if ((error as { code?: string }).code === "ERR_BUFFER_TOO_LARGE") {
        throw overLimit(`A message has more than ${readMaxBytes} bytes once decompressed`);
      }
      throw invalidArgument("message", "is not valid gzip");
    }
  },
};
