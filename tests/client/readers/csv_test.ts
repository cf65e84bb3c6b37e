import { assertEquals, assertRejects } from "@std/assert";
import { type CsvOptions, csvPoints } from "../../../client/readers/csv.ts";
import { CsvRecord } from "../../../client/readers/csv_record.ts";
import { ReaderError } from "../../../client/readers/lines.ts";
import { Random } from "../../store/format/random.ts";
import { asyncProperty, byteByByte, bytesOf, cut } from "./text.ts";

const points = (text: string, options?: CsvOptions) => Array.fromAsync(csvPoints(bytesOf(text), options));
const T = 1_795_500_000_000;

Deno.test("csvPoints() reads a metric in each column, and leaves out empty cells", async () => {
  const text = `Time,host,cpu,load\r\n${T},web-1,0.5,2\r\n\r\n${T + 1},web-2,,3e2\r\n${T},web-3,,\r\n`;
  assertEquals(await points(text), [
    { source: "web-1", timestamp: T, metrics: { cpu: 0.5, load: 2 }, tags: {} },
    { source: "web-2", timestamp: T + 1, metrics: { load: 300 }, tags: {} },
  ]);
});

Deno.test("csvPoints() reads a value in each row, other columns being tags", async () => {
  const text = `metric,value,timestamp,zone,source\ncpu,0.5,2026-11-24T06:40:00Z,a,w\n"l,o""ad",1,${T / 1000},,w\n`;
  assertEquals(await points(text), [
    { source: "w", timestamp: Date.parse("2026-11-24T06:40:00Z"), metrics: { cpu: 0.5 }, tags: { zone: "a" } },
    { source: "w", timestamp: T, metrics: { 'l,o"ad': 1 }, tags: {} },
  ]);
});

Deno.test("csvPoints() takes columns, source, time and delimiter from its options", async () => {
  const wide = { delimiter: ";", columns: ["when", "zone", "a", "b"], timestamp: "when", source: "s", tags: ["zone"] };
  assertEquals(await points(`${T};x;1;2\n`, { ...wide, metrics: ["b"] }), [
    { source: "s", timestamp: T, metrics: { b: 2 }, tags: { zone: "x" } },
  ]);
  const long = { sourceColumn: "box", metric: "what", value: "n", defaultTime: T };
  assertEquals(await points("box,what,n\nb,cpu,1\n", long), [
    { source: "b", timestamp: T, metrics: { cpu: 1 }, tags: {} },
  ]);
});

Deno.test("csvPoints() keeps line ends in quoted fields, split anywhere", async () => {
  const text = `time,source,metric,value,note\r\n${T},s,m,1,"über\r\n""x"", y\n"\r\n`;
  const expected = [{ source: "s", timestamp: T, metrics: { m: 1 }, tags: { note: 'über\r\n"x", y\n' } }];
  for (const source of [bytesOf(text), byteByByte(text)]) {
    assertEquals(await Array.fromAsync(csvPoints(source)), expected);
  }
});

Deno.test("csvPoints() names the line, and what is wrong with it", async () => {
  const head = "time,source,cpu\n";
  const wrong: Record<string, [line: number, reason: RegExp]> = {
    "a,b\n1,2\n": [1, /no column timestamp, time/],
    "time,cpu\n1,2\n": [1, /no column source/],
    "time,source\n1,2\n": [1, /no column that is a metric/],
    "time,source,a,A\n": [1, /two columns named "a"/],
    [`${head}${T},s\n`]: [2, /has 2 fields instead of 3/],
    [`${head}${T},s,1\n${T},s,fast\n`]: [3, /"cpu" must be a finite number: current value is "fast"/],
    [`${head}${T},s,Infinity\n`]: [2, /finite/],
    [`${head}soon,s,1\n`]: [2, /time that is none: "soon"/],
    [`${head}${T},,1\n`]: [2, /names no source/],
    [`${head}${T},"s"x,1\n`]: [2, /text after the end of a quoted field/],
    [`${head}${T},s"x,1\n`]: [2, /quote in a field that is not quoted/],
    [`${head}${T},"s\nx\n`]: [2, /quoted field that does not end/],
    [`${head}${T},${"x".repeat(2000)},1\n`]: [2, /at most 1000 characters/],
    [`${head}${T},"${"x\n".repeat(600)}",1\n`]: [2, /at most 1000 characters/],
    [",".repeat(999) + "\n"]: [1, /two columns|at most/],
    [`${"\n".repeat(9)}${",".repeat(1000)}\n`]: [10, /at most 1000/],
  };
  for (const [text, [line, reason]] of Object.entries(wrong)) {
    const error = await assertRejects(() => points(text, { maxLineChars: 1000 }), ReaderError);
    assertEquals([error.line, reason.test(error.message)], [line, true], `${text.slice(0, 60)}: ${error.message}`);
  }
  const notUtf8 = (async function* () {
    yield `${head}${T},`;
    yield Uint8Array.of(0xff);
    yield ",1\n";
  })();
  assertEquals((await assertRejects(() => Array.fromAsync(csvPoints(notUtf8)), ReaderError)).line, 2);
  await assertRejects(() => points("a", { delimiter: "" }), TypeError);
});

Deno.test("csvPoints() goes on after a wrong row if its error is taken, but not after a wrong header", async () => {
  const lines: number[] = [];
  const onError = (error: ReaderError) => void lines.push(error.line);
  const text = `time,source,cpu\n${T},s,x\n${T},s\n${T},s"x,1\n${T},"s\n"x,1\n${T},s,4\n`;
  assertEquals((await points(text, { onError })).map(({ metrics }) => metrics.cpu), [4]);
  assertEquals(lines, [2, 3, 4, 5]);
  await assertRejects(() => points("a,b\n1,2\n", { onError }), ReaderError);
  await assertRejects(() => points('a"\n1,2\n', { onError }), ReaderError);
});

Deno.test("CsvRecord property: what RFC 4180 writes is read back, however it is cut", async () => {
  await asyncProperty(500, (seed) => new Random(seed), async (random) => {
    const width = 1 + random.below(5);
    const rows = Array.from({ length: random.below(6) }, () => Array.from({ length: width }, () => random.text(8)));
    const end = random.pick(["\n", "\r\n"]);
    const field = (text: string) =>
      /["\r\n,]/.test(text) || random.below(4) === 0 ? `"${text.replaceAll('"', '""')}"` : text;
    const text = rows.map((row) => row.map(field).join(",")).join(end);
    const record = new CsvRecord(",", 10);
    const read: string[][] = [];
    for (const line of text.split("\n")) {
      const fields = record.push(line);
      if (fields !== undefined) read.push(fields);
    }
    assertEquals(read, rows.length === 0 ? [[""]] : rows);

    const values = rows.map((row, i) => `${T + i},s,m,${i},${field(row[0].replaceAll("\uFEFF", ""))}`);
    const file = ["time,source,metric,value,note", ...values].join(end);
    const notes = (await Array.fromAsync(csvPoints(cut(random, file)))).map(({ tags }) => tags?.note ?? "");
    assertEquals(notes, rows.map((row) => row[0].replaceAll("\uFEFF", "")));
  });
});
