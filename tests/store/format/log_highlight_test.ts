import { assert, assertEquals } from "@std/assert";
import { MAX_HIGHLIGHTS } from "../../../limits.ts";
import { parseQuery } from "../../../services/log_language/parser.ts";
import { highlightsOf } from "../../../store/format/log_highlight.ts";
import { foldWord } from "../../../store/format/tokens.ts";
import type { LogRecord } from "../../../store/log_types.ts";
import { randomRecord } from "./logs.ts";
import { property } from "./random.ts";

const RECORD: LogRecord = {
  application: "web",
  level: 3,
  timestamp: 0,
  message: "GRÖSSE İ: Timeout after timeout, timeouts",
  fields: [["path", "/a/timeout"], ["user", "Ada"]],
};

/** The texts that are highlighted, with the field. */
function shown(query: string, record = RECORD): [string, string][] {
  return highlightsOf(record, parseQuery(query, 0)).map(({ field, start, end }) => {
    const [name, text] = field === undefined ? ["", record.message] : record.fields[field];
    return [name, text.slice(start, end)];
  });
}

Deno.test("highlightsOf() shows words and fields where they stand, in order, and nothing that must not be there", () => {
  assertEquals(shown("timeout"), [["", "Timeout"], ["", "timeout"], ["path", "timeout"]]);
  assertEquals(shown("message:timeout*"), [["", "Timeout"], ["", "timeout"], ["", "timeout"]]);
  assertEquals(shown('"after timeout" OR "größe"'), [["", "after timeout"]]);
  assertEquals(shown("grösse i\u0307"), [["", "GRÖSSE"], ["", "İ"]]);
  assertEquals(shown("user:ada level:warn app:web"), [["user", "Ada"]]);
  assertEquals(shown("NOT timeout -ada"), []);
  assertEquals(shown('timeout "timeout after"'), [["", "Timeout after"], ["", "timeout"], ["path", "timeout"]]);
});

Deno.test("highlightsOf() shows at most MAX_HIGHLIGHTS", () => {
  const record = { ...RECORD, message: "x ".repeat(1000) };
  assertEquals(shown("x", record).length, MAX_HIGHLIGHTS);
});

Deno.test("highlightsOf() property: what is highlighted is what was sought, in any script", () => {
  let checked = 0;
  property(500, (random) => {
    const record = randomRecord(random);
    const [word] = record.message.match(/[\p{L}\p{N}]+/u) ?? [];
    if (word === undefined) return;
    const words = { text: foldWord(word), isPrefix: true };
    for (const { field, start, end } of highlightsOf(record, { type: "words", where: "message", words })) {
      assertEquals(field, undefined);
      const text = record.message.slice(start, end);
      assert(foldWord(text).startsWith(words.text.slice(0, 1)), JSON.stringify([record.message, word, text]));
      checked++;
    }
  });
  assert(checked > 100);
});
