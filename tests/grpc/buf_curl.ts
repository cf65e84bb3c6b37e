/**
 * buf curl, which speaks all three protocols.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { server } from "./server.ts";
import { buf } from "./tools.ts";

const url = `${server.url}/sluice.v1.FileUploadService/UploadFile`;
const chunk = JSON.stringify({ file_name: "buf.txt", data: btoa("hello\n"), is_last_chunk: true });
const HTTP2 = "--http2-prior-knowledge";

/** Without a schema, it asks the server for one by reflection, in the same protocol; it does so on HTTP/2 only. */
const WAYS: Readonly<Record<string, readonly string[]>> = {
  "gRPC on HTTP/2": ["grpc", HTTP2],
  "gRPC-Web on HTTP/2": ["grpcweb", HTTP2],
  "Connect on HTTP/2": ["connect", HTTP2],
  "gRPC-Web on HTTP/1.1": ["grpcweb", "--schema", "proto"],
  "Connect on HTTP/1.1": ["connect", "--schema", "proto"],
};

for (const [way, args] of Object.entries(WAYS)) {
  Deno.test(`buf curl: an upload by ${way}`, async () => {
    const receipt = JSON.parse(await buf("curl", "--protocol", ...args, url, "-d", chunk));
    assertEquals([receipt.fileName, receipt.totalSize, receipt.status], ["buf.txt", "6", "completed"]);
  });
}
