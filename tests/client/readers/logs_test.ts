import { assertEquals, assertRejects } from "@std/assert";
import { ReaderError } from "../../../client/readers/lines.ts";
import { logfmtLogs } from "../../../client/readers/logfmt.ts";
import { ndjsonLogs, ndjsonPoints } from "../../../client/readers/ndjson.ts";
import { plainLogs } from "../../../client/readers/plain.ts";
import { Random } from "../../store/format/random.ts";
import { asyncProperty, byteByByte, bytesOf, cut } from "./text.ts";

const T = 1_795_500_000_000;
const now = () => T;

Deno.test("ndjsonPoints() reads metrics, and one metric with its value", async () => {
  const text = `{"source":"a","timestamp":${T},"metrics":{"x":1,"y":-2.5},"tags":{"n":1,"ü":"ö"}}\r\n\r\n` +
    `{"time":"2026-11-24T06:00:00+01:00","metric":"z","value":3}`;
  for (const source of [bytesOf(text), byteByByte(text)]) {
    assertEquals(await Array.fromAsync(ndjsonPoints(source, { source: "d" })), [
      { source: "a", timestamp: T, metrics: { x: 1, y: -2.5 }, tags: { n: "1", ü: "ö" } },
      { source: "d", timestamp: Date.parse("2026-11-24T05:00:00Z"), metrics: { z: 3 }, tags: {} },
    ]);
  }
});

Deno.test("ndjsonPoints() names the line, and what is wrong with it", async () => {
  const wrong = [
    "{",
    "[]",
    "1",
    "null",
    `{"timestamp":1,"metrics":{}}`,
    `{"source":"a","metrics":{}}`,
    `{"source":"a","timestamp":"x","metrics":{}}`,
    `{"source":"a","timestamp":1}`,
    `{"source":"a","timestamp":1,"metrics":{"x":"fast"}}`,
    `{"source":"a","timestamp":1,"metrics":{"x":null}}`,
    `{"source":"a","timestamp":1,"metric":"x"}`,
    `{"source":"a","timestamp":1,"metrics":{},"tags":[]}`,
    `{"source":"\uFFFD","timestamp":1,"metrics":{}}`,
  ];
  const seen: number[] = [];
  const onError = (error: ReaderError) => void seen.push(error.line);
  assertEquals(await Array.fromAsync(ndjsonPoints(bytesOf(wrong.join("\n")), { onError })), []);
  assertEquals(seen, wrong.map((_, i) => i + 1));
  const error = await assertRejects(() => Array.fromAsync(ndjsonPoints(bytesOf("\n\n{"))), ReaderError);
  assertEquals(error.line, 3);
});

Deno.test("ndjsonLogs() takes application, level, time and message from the usual names", async () => {
  const text = [
    `{"app":"a","severity":"warning","@timestamp":"${
      new Date(T).toISOString()
    }","msg":"m","n":1,"o":{"p":[]},"q":null}`,
    `{"level":30,"time":${T},"msg":"pino","__proto__":"x"}`,
    `{"message":"only"}`,
  ].join("\n");
  const [first, second, third] = await Array.fromAsync(ndjsonLogs(bytesOf(text), { application: "d", now }));
  assertEquals(first, {
    application: "a",
    level: "warning",
    timestamp: T,
    message: "m",
    fields: { n: "1", o: '{"p":[]}' },
  });
  assertEquals([second.application, second.level, second.timestamp], ["d", "INFO", T]);
  assertEquals(Object.entries(second.fields!), [["__proto__", "x"]]);
  assertEquals(third, { application: "d", level: undefined, timestamp: T, message: "only", fields: {} });
});

Deno.test("logfmtLogs() reads quoted values, bare names and escapes", async () => {
  const text = String.raw`ts=1795500000.5 app=web level=error msg="a \"b\"\n\u00fc \\" empty= flag path=/x?y=1` +
    "\r\n";
  assertEquals(await Array.fromAsync(logfmtLogs(byteByByte(text), { now })), [{
    application: "web",
    level: "error",
    timestamp: T + 500,
    message: 'a "b"\nü \\',
    fields: { empty: "", flag: "true", path: "/x?y=1" },
  }]);
  for (const wrong of ['a="', 'a="b"c', "=x", 'a=b"c', '"a"=b', "ts=never"]) {
    const error = await assertRejects(() => Array.fromAsync(logfmtLogs(bytesOf(`a=b\n${wrong}\n`))), ReaderError);
    assertEquals(error.line, 2, wrong);
  }
});

Deno.test("logfmtLogs() property: what is written with quotes is read back", async () => {
  await asyncProperty(300, (seed) => new Random(seed), async (random) => {
    const fields = Object.fromEntries(
      Array.from({ length: 1 + random.below(5) }, (_, i) => [`k${i}`, random.text(20).replaceAll("\uFEFF", "")]),
    );
    const text = Object.entries(fields).map(([name, value]) => `${name}=${JSON.stringify(value)}`).join(" ");
    const [entry] = await Array.fromAsync(logfmtLogs(cut(random, text), { now }));
    assertEquals(entry.fields, fields);
  });
});

Deno.test("plainLogs() guesses time and level", async () => {
  const local = (text: string) => new Date(text).getTime();
  const year = new Date(T).getFullYear();
  const lines: [line: string, level: string | undefined, time: number][] = [
    ["2026-11-24T06:40:00.123Z WARN slow", "WARN", Date.parse("2026-11-24T06:40:00.123Z")],
    ["[2026-11-24 06:40:00,5] error: x", "ERROR", local("2026-11-24T06:40:00.5")],
    ["2026-11-24 06:40:00 +0200 debug", "DEBUG", Date.parse("2026-11-24T04:40:00Z")],
    ["2026/11/24 06:40:00 [error] 12#0: nginx", "ERROR", local("2026-11-24T06:40:00")],
    ["Nov  2 06:40:00 host sshd[1]: hello", undefined, local(`${year}-11-02T06:40:00`)],
    ["Dec 31 06:40:00 host sshd[1]: last year", undefined, local(`${year - 1}-12-31T06:40:00`)],
    ["<11>1 2026-11-24T06:40:00Z host app - - - text", "ERROR", Date.parse("2026-11-24T06:40:00Z")],
    ['1.2.3.4 - - [24/Nov/2026:06:40:00 +0000] "GET / HTTP/1.1" 200', undefined, Date.parse("2026-11-24T06:40:00Z")],
    ["W1124 06:40:00.250000   12 main.go:3] klog", "WARN", local(`${year}-11-24T06:40:00.250`)],
    ["1795500000.25 audit", undefined, T + 250],
    ["1795500000250 info", "INFO", T + 250],
    ["information is no level, 2026-13-45T99:00:00", undefined, T],
    ["2026-13-45T99:00:00 no time", undefined, T],
    ["  at stack (x.js:1)", undefined, T],
    ["\u{1F600} only text", undefined, T],
  ];
  const source = byteByByte(lines.map(([line]) => line).join("\r\n") + "\r\n\r\n");
  const entries = await Array.fromAsync(plainLogs(source, { application: "a", now }));
  assertEquals(entries.map(({ level, timestamp, message }) => [message, level, timestamp]), lines.map((l) => [...l]));
});

Deno.test("plainLogs() takes bytes that are no text as U+FFFD", async () => {
  const source = (async function* () {
    yield Uint8Array.of(0x61, 0xff, 0x0a);
  })();
  assertEquals((await Array.fromAsync(plainLogs(source, { now })))[0].message, "a\uFFFD");
});
