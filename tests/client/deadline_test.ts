import { assertMatch } from "@std/assert";
import { createSluice } from "../../client/mod.ts";
import { serveRaw } from "./fake_server.ts";

Deno.test("deadlineMs: what is left of it goes over the wire in whole milliseconds", async () => {
  let timeout: string | null = null;
  await using server = serveRaw((request) => {
    timeout = request.headers.get("connect-timeout-ms");
    return new Response(null, { headers: { "content-type": "application/proto" } });
  });
  await createSluice({ url: server.url, deadlineMs: 5000 }).files.list();
  assertMatch(timeout!, /^\d{1,4}$/);
});
