import { assert, assertEquals, assertRejects } from "@std/assert";
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

Deno.test("readLines() hands what is before a line that is too long over, also in the same piece", async () => {
  const read: string[] = [];
  await assertRejects(async () => {
    const onError = (error: ReaderError) => {
      throw error;
    };
    for await (const { lines } of readLines(bytesOf(`a\nb\n${"x".repeat(11)}\nc\n`), { maxLineChars: 10, onError })) {
      read.push(...lines);
    }
  }, ReaderError);
  assertEquals(read, ["a", "b"]);
});

Deno.test("readLines() property: with onError, lines that are too long are left out, however a text is cut", async () => {
  await asyncProperty(300, (seed) => new Random(seed), async (random) => {
    const lengths = Array.from({ length: 20 }, () => random.below(3) === 0 ? 11 + random.below(50) : random.below(11));
    const text = lengths.map((length) => "xyä"[random.below(3)].repeat(length)).join("\n");
    const errors: number[] = [];
    const read = await linesOf(cut(random, text), {
      maxLineChars: 10,
      onError: ({ line, reason }: ReaderError) => {
        assertEquals(reason, "must have at most 10 characters");
        errors.push(line);
      },
    });
    const numbered = text.split("\n").map((line, index): [number, string] => [index + 1, line]);
    assertEquals(errors, numbered.filter(([, line]) => line.length > 10).map(([number]) => number));
    const kept = numbered.filter(([, line]) => line.length <= 10 && line !== "");
    assertEquals(read.filter(([, line]) => line !== ""), kept);
  });
});

Deno.test("readLines() keeps nothing of a line that is too long", async () => {
  async function* endless(): AsyncGenerator<Uint8Array> {
    const piece = new Uint8Array(1024 * 1024).fill(0x78);
    for (let i = 0; i < 1024; i++) yield piece;
    yield new TextEncoder().encode("\nlast");
  }
  const before = Deno.memoryUsage().rss;
  const errors: number[] = [];
  const read = await linesOf(endless(), { onError: ({ line }: ReaderError) => errors.push(line) });
  assertEquals([read.at(-1), errors], [[2, "last"], [1]]);
  assert(Deno.memoryUsage().rss - before < 300 * 1024 * 1024);
});

Deno.test("readLines() reads other encodings", async () => {
  const latin1 = (async function* () {
    yield Uint8Array.of(0xfc, 0x0a);
  })();
  assertEquals(await linesOf(latin1, { encoding: "iso-8859-1" }), [[1, "ü"]]);
  await assertRejects(() => linesOf(bytesOf("a"), { encoding: "klingon" }), RangeError);
});
