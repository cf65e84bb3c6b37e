/**
 * h2spec --strict (generic, http2, hpack) against the server, over clear text and TLS. h2spec is looked for on PATH and
 * where `go install github.com/summerwind/h2spec/cmd/h2spec@latest` puts it.
 */
import { assert, assertStringIncludes } from "@std/assert";
import { findProgram, run, serveClear, serveTls } from "./network.ts";
import { bytesOf, textBody } from "./support.ts";
import type { Http2Handler } from "../../http2/mod.ts";

const handler: Http2Handler = async (request) => {
  await bytesOf(request.body);
  return { status: 200, header: new Headers({ "content-type": "text/plain" }), body: textBody("hello, world\n") };
};

async function h2spec(port: number, more: readonly string[]): Promise<void> {
  const program = await findProgram("h2spec");
  assert(program, "h2spec is not installed: go install github.com/summerwind/h2spec/cmd/h2spec@latest");
  const { success, text } = await run(program, ["--strict", "-h", "127.0.0.1", "-p", String(port), ...more]);
  console.log(text.trim().split("\n").at(-1));
  assert(success, text.slice(text.indexOf("Failures:")));
  assertStringIncludes(text, " 0 skipped, 0 failed");
}

Deno.test("h2spec --strict passes over clear text", async () => {
  const { server, port } = serveClear(handler);
  await h2spec(port, []);
  await server.shutdown();
});

Deno.test("h2spec --strict passes over TLS", async () => {
  const { server, port } = serveTls(handler);
  await h2spec(port, ["--tls", "--insecure"]);
  await server.shutdown();
});
