import { assertEquals, assertRejects } from "@std/assert";
import { ReaderError, readLines } from "../../../client/readers/lines.ts";
import { Random } from "../../store/format/random.ts";
import { asyncProperty, byteByByte, bytesOf, cut } from "./text.ts";

async function linesOf(source: AsyncIterable<Uint8Array | string>, options = {}): Promise<[number, string][]> {
  const all: [number, string][] = [];
  for await (const { lines, first } of readLines(source, options)) {
    lines.forEach((line, index) => all.push([first + index, line]));
  }
  return all;
}

Deno.test("readLines() numbers lines from 1, and the last need not end", async () => {
  assertEquals(await linesOf(bytesOf("a\r\nb\n\nc")), [[1, "a\r"], [2, "b"], [3, ""], [4, "c"]]);
  assertEquals(await linesOf(bytesOf("a\n")), [[1, "a"]]);
  assertEquals(await linesOf(bytesOf("")), []);
});

Deno.test("readLines() takes a byte order mark off, of bytes and of text, and only at the beginning", async () => {
  const text = "\uFEFFa\n\uFEFFb\n";
  for (
    const source of [
      bytesOf(text),
      byteByByte(text),
      (async function* () {
        yield text;
      })(),
    ]
  ) {
    assertEquals(await linesOf(source), [[1, "a"], [2, "\uFEFFb"]]);
  }
});

Deno.test("readLines() property: however a text is cut, its lines are the same", async () => {
  await asyncProperty(300, (seed) => new Random(seed), async (random) => {
    // TextDecoder takes off a mark whenever bytes begin anew, and these are switched with text.
    const text = random.text(60).replaceAll("\uFEFF", "").replaceAll(" ", "\r\n");
    const expected = text.split("\n");
    if (expected.at(-1) === "") expected.pop();
    assertEquals((await linesOf(cut(random, text))).map(([, line]) => line), expected);
  });
});

Deno.test("readLines() stops at a line that is too long, ended or not, and names it", async () => {
  async function* endless(): AsyncGenerator<string> {
    yield "a\nb\n";
    while (true) yield "x".repeat(100);
  }
  for (const source of [endless(), bytesOf(`a\nb\n${"x".repeat(1001)}\nc\n`)]) {
    const error = await assertRejects(() => linesOf(source, { maxLineChars: 1000 }), ReaderError);
    assertEquals([error.line, error.message], [3, "line 3: must have at most 1000 characters"]);
  }
  assertEquals((await linesOf(bytesOf("x".repeat(1000)), { maxLineChars: 1000 })).length, 1);
});

Deno.test("readLines() reads other encodings", async () => {
  const latin1 = (async function* () {
    yield Uint8Array.of(0xfc, 0x0a);
  })();
  assertEquals(await linesOf(latin1, { encoding: "iso-8859-1" }), [[1, "ü"]]);
  await assertRejects(() => linesOf(bytesOf("a"), { encoding: "klingon" }), RangeError);
});
