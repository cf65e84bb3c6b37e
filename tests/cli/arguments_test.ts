import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import {
  collectPairs,
  parseDelimiter,
  parseDuration,
  parseEncoding,
  parseMoment,
  parseQuantiles,
  wholeNumber,
} from "../../client/cli/arguments.ts";
import { printable } from "../../client/cli/context.ts";
import { bytes, decimal, duration, table } from "../../client/cli/format.ts";
import { interruptedSending } from "../../client/cli/inputs.ts";
import { createCli } from "./command.ts";

const NOBODY = { url: "http://127.0.0.1:1" };

Deno.test("sluice --help shows the commands, exit codes and examples; each command has examples of its own", async () => {
  await using cli = await createCli(NOBODY);
  const { code, stdout } = await cli.run(["--help"]);
  assertEquals(code, 0);
  assertMatch(stdout, /Exit codes:[\s\S]*130 {2}interrupted[\s\S]*Examples:\n {2}\$ sluice upload/);
  const commands = [...stdout.matchAll(/^ {2}([a-z][a-z-]*) .*?(?: {2}|\n)/gm)].map(([, command]) => command);
  const expected = ["upload", "points", "logs", "download", "query", "search", "files", "delete", "delete-points"];
  expected.push("delete-logs", "deletions", "status", "demo");
  assertEquals(commands.filter((command) => command !== "help"), expected);
  for (const command of expected) {
    const help = await cli.run([command, "--help"]);
    assertMatch(help.stdout, new RegExp(`Usage: sluice ${command}[\\s\\S]*Examples:\\n {2}\\$ .*sluice ${command}`));
    assertEquals(help.code, 0);
  }
});

Deno.test("sluice: arguments that are wrong end with 2, before anything is done", async () => {
  await using cli = await createCli(NOBODY);
  const wrong = [
    ["bogus"],
    ["upload"],
    ["upload", "--concurrency", "0", "x"],
    ["upload", "-"],
    ["upload", "--name", "x.txt", "a", "b"],
    ["points", "--format", "xml", "x"],
    ["points", "-"],
    ["points", "--delimiter", "ab", "x.csv"],
    ["points", "--encoding", "klingon", "x.csv"],
    ["logs", "--from-end", "x.log"],
    ["logs", "--follow", "."],
    ["logs", "--follow", "--encoding", "utf-16le", "x.log"],
    ["logs", "--follow", "a", "b"],
    ["logs", "--follow", "-"],
    ["query", "cpu", "--from", "yesterday"],
    ["query", "cpu", "--step", "5"],
    ["query", "cpu", "--step", "1.5ms"],
    ["query", "cpu", "--step", "0s"],
    ["query", "cpu", "--aggregate", "1"],
    ["query", "--from", "1h"],
    ["search", "--follow", "--from", "1h"],
    ["search", "--follow", "--limit", "5"],
    ["demo", "--json"],
    ["query", "cpu", "--aggregate", "median"],
    ["query", "cpu", "--tag", "zone"],
    ["--url", "ftp://x", "status"],
    ["--wait", "long", "status"],
    ["--bogus", "status"],
  ];
  for (const args of wrong) {
    const { code, stdout, stderr } = await cli.run(args);
    assertEquals([code, stdout], [2, ""], `${args.join(" ")}: ${stderr}`);
    assert(stderr !== "");
  }
});

Deno.test("options: durations, times, numbers, pairs and quantiles", () => {
  assertEquals(["250ms", "90s", "1.5h", "7d"].map(parseDuration), [250, 90_000, 5_400_000, 604_800_000]);
  assertEquals(["1.001s", "0.5s", "1.0000ms"].map(parseDuration), [1001, 500, 1]);
  for (const text of ["", "5", "h", "-1h", "1y", "1.5ms", "0.0001s", `${"9".repeat(20)}w`]) {
    assertThrows(() => parseDuration(text), Error);
  }
  const before = Date.now();
  const ago = Number(parseMoment("2h")) + 7_200_000;
  assert(ago >= before && ago <= Date.now());
  assertEquals(parseMoment("2026-11-24T10:00:00Z"), BigInt(Date.parse("2026-11-24T10:00:00Z")));
  assertEquals(parseMoment("1795500000"), 1_795_500_000_000n);
  assertThrows(() => parseMoment("soon"), Error);
  const at = Number(parseMoment("now"));
  assert(at >= before && at <= Date.now());
  assertEquals(wholeNumber(1, 5)("5"), 5);
  for (const text of ["0", "6", "1.5", "", "1e0"]) assertThrows(() => wholeNumber(1, 5)(text), Error);
  assertEquals(collectPairs("b=c=d", collectPairs("a=")), { a: "", b: "c=d" });
  assertThrows(() => collectPairs("=x"), Error);
  assertEquals(parseQuantiles("p50,0.99, p99.9"), [0.5, 0.99, 0.9990000000000001]);
  assertThrows(() => parseQuantiles("2"), Error);
  assertEquals([";", "\\t", "\t"].map(parseDelimiter), [";", "\t", "\t"]);
  for (const text of ["", "ab", '"', "\n"]) assertThrows(() => parseDelimiter(text), Error);
  assertEquals(parseEncoding("latin1"), "windows-1252");
});

Deno.test("output: sizes, durations and tables", () => {
  assertEquals([0, 1023, 1536, 5 * 1024 ** 3].map(bytes), ["0 B", "1023 B", "1.5 KiB", "5.0 GiB"]);
  assertEquals([1_500_000, 2 ** 53 - 1, -7, 0.5, 1 / 3, 749_999.5, 99_999.97, 2 ** 53, 1e300].map(decimal), [
    "1500000",
    "9007199254740991",
    "-7",
    "0.5",
    "0.333333",
    "749999.5",
    "100000.0",
    "9.00720e+15",
    "1.00000e+300",
  ]);
  assertEquals([0, 59.2, 61, 3723].map(duration), ["0:00", "1:00", "1:01", "1:02:03"]);
  assertEquals(printable("a\tä\n\u001b]0;title\u0007\r\u009b2J"), "a\tä\n\uFFFD]0;title\uFFFD\uFFFD\uFFFD2J");
  assertEquals(table(["a", "long"], [["xyz", "1"], ["", ""]]), "a    long\nxyz  1\n");
});

Deno.test("interruptedSending(): standard input does not go on", () => {
  assertEquals(interruptedSending(["a.csv"]), undefined);
  assertMatch(interruptedSending(["a.csv", "-"])!, /standard input .* from its beginning/);
});
