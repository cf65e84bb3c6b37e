import { assertEquals, assertMatch } from "@std/assert";
import { ROOT } from "../support/server.ts";
import { sharedServer } from "../support/shared_server.ts";

const server = await sharedServer();

/** Any static file server over the checkout will do. */
function serveCheckout() {
  return Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async (request) => {
    try {
      const text = await Deno.readTextFile(ROOT + new URL(request.url).pathname.slice(1));
      return new Response(text, { headers: { "content-type": "text/typescript" } });
    } catch {
      return new Response("not found", { status: 404 });
    }
  });
}

async function run(command: string, args: string[], cwd: string) {
  const env = { NO_COLOR: "1", SLUICE_URL: server.url, SLUICE_STATE: `${cwd}/state` };
  const { code, stdout, stderr } = await new Deno.Command(command, { args, cwd, env }).output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

Deno.test("sluice runs by URL, from an empty folder, and after deno install", async () => {
  await using files = serveCheckout();
  const url = `http://127.0.0.1:${files.addr.port}/client/cli.ts`;
  const folder = await Deno.makeTempDir({ prefix: "sluice-install-" });
  try {
    const byUrl = await run(Deno.execPath(), ["run", "-A", url, "status"], folder);
    assertEquals(byUrl.code, 0, byUrl.stderr);
    assertMatch(byUrl.stdout, /is ready/);
    const installed = await run(Deno.execPath(), ["install", "-gA", "-n", "sluice", "--root", folder, url], folder);
    assertEquals(installed.code, 0, installed.stderr);
    await Deno.writeTextFile(`${folder}/a.txt`, "a\n");
    const uploaded = await run(`${folder}/bin/sluice`, ["upload", "a.txt"], folder);
    assertEquals(uploaded.code, 0, uploaded.stderr);
    assertMatch(uploaded.stdout, /a\.txt {2}2 B/);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
