import { assert, assertEquals, assertMatch } from "@std/assert";
import { sharedServer } from "../support/shared_server.ts";
import { ROOT } from "../support/server.ts";
import { createCli } from "./command.ts";
import { writeLog } from "./log_writer.ts";

const server = await sharedServer();

/** Whether there is util-linux' script, which runs a command on a terminal. */
const hasScript = await new Deno.Command("script", { args: ["--version"], stdout: "null" }).output()
  .then(({ success }) => success, () => false);

Deno.test({
  name: "sluice logs: on a terminal there is a bar with the time left, which goes in the end; elsewhere nothing",
  ignore: !hasScript,
  async fn() {
    await using cli = await createCli(server);
    await writeLog(`${cli.folder}/p.log`, { lines: 100_000, linesPerSecond: 1e9, rotation: "none", rotations: 0 });
    const command = [Deno.execPath(), "run", "-A", "--cached-only", `${ROOT}client/cli.ts`, "logs", "p.log"].join(" ");
    const { stdout } = await new Deno.Command("script", {
      args: ["-qec", `stty cols 100; ${command}`, "/dev/null"],
      cwd: cli.folder,
      env: { SLUICE_URL: server.url, SLUICE_STATE: `${cli.folder}/.state`, SHELL: "/bin/sh" },
      stdin: "null",
    }).output();
    const text = new TextDecoder().decode(stdout);
    assertMatch(text, /p\.log +█+░* +[1-9]\d?% [\d,]+ [\d,]+\/s ETA \d:\d\d/);
    // The cursor is there again, and what is left is the result.
    assert(text.lastIndexOf("\u001b[?25h") > text.lastIndexOf("\u001b[?25l"));
    assertMatch(text, /p\.log: 100,000 stored\r\n/);
    const piped = await cli.run(["logs", "p.log"]);
    assertEquals([piped.code, piped.stdout, piped.stderr], [0, "p.log: 100,000 stored\n", ""]);
  },
});
