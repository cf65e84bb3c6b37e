import { assertEquals, assertMatch } from "@std/assert";
import { ROOT } from "../support/server.ts";
import { sharedServer } from "../support/shared_server.ts";

const server = await sharedServer();

/** The command in a shell, whose standard output goes where `redirection` says; it is killed after 20 s. */
async function inShell(command: string, redirection: string) {
  const sluice =
    `timeout -s KILL 20 "${Deno.execPath()}" run -A --cached-only "${ROOT}client/cli.ts" ${command} ${redirection}`;
  const { code, signal, stderr } = await new Deno.Command("sh", {
    args: ["-c", sluice],
    env: { SLUICE_URL: server.url, NO_COLOR: "1" },
    stdin: "null",
  }).output();
  return { code, signal, stderr: new TextDecoder().decode(stderr) };
}

Deno.test("sluice: output that cannot be written is an error, not a wait", async () => {
  // A disk that is full, see full(4).
  const { code, stderr } = await inShell("status", "> /dev/full");
  assertEquals(code, 1, stderr);
  assertMatch(stderr, /the output cannot be written: .*space/);
});

Deno.test("sluice: whoever reads the output may leave", async () => {
  const { code, stderr } = await inShell("status", "| true");
  assertEquals([code, stderr.includes("cannot be written")], [0, false]);
});
