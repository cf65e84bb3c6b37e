import { assert, assertEquals, assertMatch } from "@std/assert";
import { sharedServer } from "../support/shared_server.ts";

const server = await sharedServer();

async function get(path: string, headers: Record<string, string> = {}, method = "GET") {
  const response = await fetch(server.url + path, { headers, method });
  const text = await response.text();
  return { status: response.status, text, header: (name: string) => response.headers.get(name) };
}

/** Runs Deno in an empty folder with a script of this text. */
async function inEmptyFolder(text: string, ...args: string[]) {
  const folder = await Deno.makeTempDir({ prefix: "sluice-script-" });
  try {
    await Deno.writeTextFile(`${folder}/script.ts`, text);
    const command = new Deno.Command(Deno.execPath(), {
      args: [...args, "script.ts"],
      cwd: folder,
      env: { NO_COLOR: "1" },
    });
    const { code, stdout, stderr } = await command.output();
    const decoder = new TextDecoder();
    return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("GET /client.js: an ES module, its types, and an ETag for both", async () => {
  const types: Record<string, string> = {
    "/client.js": "text/javascript; charset=utf-8",
    "/client.d.ts": "application/typescript; charset=utf-8",
  };
  for (const [path, type] of Object.entries(types)) {
    const { status, text, header } = await get(path);
    assertEquals([status, header("content-type")], [200, type]);
    assertEquals(header("x-typescript-types"), path === "/client.js" ? "/client.d.ts" : null);
    assertEquals(header("access-control-allow-origin"), "*");
    assertEquals(header("content-length"), String(new TextEncoder().encode(text).length));
    assert(text.includes("createSluice"));
    const etag = header("etag") ?? "";
    assertMatch(etag, /^"[0-9a-f]{64}"$/);
    for (const known of [etag, `W/${etag}`, `"x", ${etag}`]) {
      const again = await get(path, { "if-none-match": known });
      assertEquals([again.status, again.text, again.header("etag")], [304, "", etag]);
    }
    const head = await get(path, {}, "HEAD");
    assertEquals([head.status, head.text, head.header("etag")], [200, "", etag]);
    assertEquals((await get(path, {}, "POST")).status, 405);
  }
});

const SCRIPT = `import { createSluice, type UploadResult } from ${JSON.stringify(`${server.url}/client.js`)};
const sluice = createSluice({ url: ${JSON.stringify(server.url)} });
const result: UploadResult = await sluice.uploadFile(new TextEncoder().encode("a,b\\n"), { name: "a.csv" });
const points = await sluice.sendPoints([{ source: "js", timestamp: Date.now(), metrics: { x: 1 } }]);
const logs = await sluice.sendLogs([{ application: "js", timestamp: Date.now(), message: "hello" }]);
const text = await new Response(sluice.files.download(result.fileId)).text();
console.log(JSON.stringify([result.fileName, text, points.successfulCount, logs.indexedCount]));
`;

Deno.test("client.js: Deno checks and runs a script that imports it, from an empty folder", async () => {
  const { code, stdout, stderr } = await inEmptyFolder(SCRIPT, "run", "-A", "--check");
  assertEquals(code, 0, stderr);
  assertEquals(stdout, '["a.csv","a,b\\n",1,1]\n');
});

Deno.test("client.js: its types find what is wrong with a script", async () => {
  const wrong = SCRIPT.replace("metrics: { x: 1 }", 'metrics: { x: "1" }');
  const { code, stderr } = await inEmptyFolder(wrong, "check", "--allow-import");
  assertEquals(code, 1, stderr);
  assertMatch(stderr, /TS2345[\s\S]*Type 'string' is not assignable to type 'number'/);
});
