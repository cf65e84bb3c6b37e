import { assert, assertEquals } from "@std/assert";
import { createSluice } from "../../client/mod.ts";
import { CORS_MAX_AGE_SECONDS } from "../../limits.ts";
import { textBytes } from "../support/chunks.ts";
import { type StartOptions, startServer } from "../support/server.ts";

const PAGE = "https://app.example.com";
const OTHER = "http://localhost:5173";
const DEPLOY: StartOptions = {
  env: { DENO_DEPLOYMENT_ID: "x", SLUICE_KV: ":memory:" },
  permissions: ["--allow-net", "--allow-env"],
};
const SHAPES: Readonly<Record<string, StartOptions>> = { "one port": {}, Deploy: DEPLOY };
const COLLECT = "/sluice.v1.DataCollectionService/CollectDataPoints";

/** A server that allows these origins. */
function serverFor(origins: string, shape: StartOptions) {
  return startServer({ ...shape, env: { ...shape.env, SLUICE_CORS_ORIGINS: origins } });
}

async function ask(url: string, method: string, headers: Record<string, string>, body?: BodyInit) {
  const response = await fetch(url, { method, headers, body });
  const text = await response.text();
  return { status: response.status, text, header: (name: string) => response.headers.get(name) };
}

const preflight = (url: string, origin: string, method = "POST") =>
  ask(url, "OPTIONS", {
    origin,
    "access-control-request-method": method,
    "access-control-request-headers": "content-type,sluice-stream-id",
  });

/** What a header lists. */
const list = (header: string | null) => new Set(header?.split(", "));

for (const [name, shape] of Object.entries(SHAPES)) {
  Deno.test(`CORS, ${name}: pages of the origins that are listed may call, and read what is answered`, async () => {
    await using server = await serverFor(`${PAGE}, ${OTHER}`, shape);
    for (const origin of [PAGE, OTHER]) {
      for (const path of [COLLECT, "/sluice.v1.QueryService/ListSeries", "/files/x", "/healthz"]) {
        const { status, text, header } = await preflight(server.url + path, origin);
        assertEquals([status, text, header("access-control-allow-origin")], [204, "", origin], path);
        assertEquals(header("vary"), "origin");
        assertEquals(header("access-control-max-age"), String(CORS_MAX_AGE_SECONDS));
        assert(list(header("access-control-allow-methods")).has("POST"));
        const asked =
          "content-type connect-protocol-version connect-timeout-ms x-grpc-web grpc-timeout authorization " +
          "sluice-stream-id sluice-start sluice-end range";
        assert(list(header("access-control-allow-headers")).isSupersetOf(new Set(asked.split(" "))));
        assertEquals(header("access-control-allow-credentials"), null);
      }
    }
    const { fileId } = await createSluice({ url: server.url }).uploadFile(textBytes(100), { name: "a.txt" });
    const download = await ask(`${server.url}/files/${fileId}`, "GET", { origin: PAGE, range: "bytes=0-9" });
    assertEquals([download.status, download.header("access-control-allow-origin")], [206, PAGE]);
    assert(list(download.header("access-control-expose-headers")).isSupersetOf(new Set(["etag", "content-range"])));
    const unary = await ask(`${server.url}/sluice.v1.QueryService/ListSeries`, "POST", {
      origin: OTHER,
      "content-type": "application/json",
    }, "{}");
    assertEquals([unary.status, unary.text, unary.header("access-control-allow-origin")], [200, "{}", OTHER]);
    const streamed = await ask(server.url + COLLECT, "POST", {
      origin: PAGE,
      "content-type": "application/grpc-web+proto",
      "x-grpc-web": "1",
    }, new Uint8Array());
    assertEquals([streamed.status, streamed.header("access-control-allow-origin")], [200, PAGE]);
    const missing = await ask(`${server.url}/files/none`, "GET", { origin: PAGE });
    assertEquals([missing.status, missing.header("access-control-allow-origin")], [404, PAGE]);
  });

  Deno.test(`CORS, ${name}: other origins are not told that they may`, async () => {
    await using server = await serverFor(PAGE, shape);
    for (const origin of [OTHER, "null", `${PAGE}.evil.example`, `${PAGE}:8443`, "http://app.example.com"]) {
      const { status, header } = await preflight(server.url + COLLECT, origin);
      assertEquals([status, header("access-control-allow-origin"), header("vary")], [403, null, "origin"], origin);
      const read = await ask(`${server.url}/healthz`, "GET", { origin });
      assertEquals([read.status, read.header("access-control-allow-origin")], [200, null], origin);
    }
    const { header } = await ask(`${server.url}/healthz`, "GET", {});
    assertEquals([header("access-control-allow-origin"), header("vary")], [null, "origin"]);
  });

  Deno.test(`CORS, ${name}: * allows every origin, by default there is none`, async () => {
    await using open = await serverFor("*", shape);
    for (const origin of [PAGE, "null"]) {
      const { status, header } = await preflight(open.url + COLLECT, origin);
      assertEquals([status, header("access-control-allow-origin"), header("vary")], [204, "*", null]);
    }
    await using closed = await startServer(shape);
    const { status, header } = await preflight(closed.url + COLLECT, PAGE);
    assertEquals([status, header("access-control-allow-origin")], [405, null]);
  });
}

Deno.test("OPTIONS that is no preflight goes where it would go without CORS", async () => {
  await using server = await serverFor("*", {});
  assertEquals((await ask(server.url + COLLECT, "OPTIONS", { origin: PAGE })).status, 405);
  assertEquals((await ask(`${server.url}/healthz`, "OPTIONS", {})).status, 404);
});
