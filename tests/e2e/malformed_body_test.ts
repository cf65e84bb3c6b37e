import { assert, assertEquals, assertMatch } from "@std/assert";
import { sharedServer } from "../support/shared_server.ts";

const server = await sharedServer();

/** Sends these bytes on a connection of their own, and returns all that comes back. */
async function exchange(text: string): Promise<string> {
  using conn = await Deno.connect({ hostname: "127.0.0.1", port: Number(new URL(server.url).port) });
  await conn.write(new TextEncoder().encode(text));
  let answer = "";
  const buffer = new Uint8Array(4096);
  for (let n = await conn.read(buffer); n !== null; n = await conn.read(buffer)) {
    answer += new TextDecoder().decode(buffer.subarray(0, n));
    if (answer.includes("\r\n\r\n") && /}|grpc-status/.test(answer)) break;
  }
  return answer;
}

const head = (method: string, type: string) =>
  `POST /sluice.v1.${method} HTTP/1.1\r\nHost: x\r\nContent-Type: ${type}\r\nTransfer-Encoding: chunked\r\n\r\n`;

for (const [what, chunk] of [["a chunk size that is none", "ZZ"], ["a chunk size of 17 digits", "f".repeat(17)]]) {
  Deno.test(`malformed body: ${what} is the caller's fault, and no error of the server's`, async () => {
    const unary = await exchange(
      `${head("FileUploadService/ListFiles", "application/json")}${chunk}\r\n{}\r\n0\r\n\r\n`,
    );
    assertMatch(unary, /^HTTP\/1\.1 400 /);
    assertMatch(unary, /"invalid_argument"/);
    const stream = await exchange(
      `${head("DataCollectionService/CollectLogs", "application/connect+proto")}${chunk}\r\n{}\r\n0\r\n\r\n`,
    );
    assertMatch(stream, /"invalid_argument"/);
    assert(!server.stderr().includes(`"level":"error"`), server.stderr());
    assertEquals((await fetch(`${server.url}/healthz`)).status, 200);
  });
}
