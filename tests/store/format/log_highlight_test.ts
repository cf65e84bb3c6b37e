import { assert, assertEquals, assertLess } from "@std/assert";
import { MAX_HIGHLIGHTS, MAX_LOG_FIELDS, MAX_LOG_MESSAGE_BYTES, MAX_SEARCH_TERMS } from "../../../limits.ts";
import { parseQuery } from "../../../services/log_language/parser.ts";
import { logHighlighter } from "../../../store/format/log_highlight.ts";
import { findFolded, foldWord } from "../../../store/format/tokens.ts";
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
  return logHighlighter(parseQuery(query, 0))(record).map(({ field, start, end }) => {
    const [name, text] = field === undefined ? ["", record.message] : record.fields[field];
    return [name, text.slice(start, end)];
  });
}

Deno.test("logHighlighter() shows words and fields where they stand, in order, and nothing that must not be there", () => {
  assertEquals(shown("timeout"), [["", "Timeout"], ["", "timeout"], ["path", "timeout"]]);
  assertEquals(shown("message:timeout*"), [["", "Timeout"], ["", "timeout"], ["", "timeout"]]);
  assertEquals(shown('"after timeout" OR "größe"'), [["", "after timeout"]]);
  assertEquals(shown("grösse i\u0307"), [["", "GRÖSSE"], ["", "İ"]]);
  assertEquals(shown("user:ada level:warn app:web"), [["user", "Ada"]]);
  assertEquals(shown("NOT timeout -ada"), []);
  assertEquals(shown('timeout "timeout after"'), [["", "Timeout after"], ["", "timeout"], ["path", "timeout"]]);
});

Deno.test("logHighlighter() shows no value but one that is sought", () => {
  const record: LogRecord = { ...RECORD, message: "boom", fields: [["ms", "3"], ["user", "bob"]] };
  assertEquals(shown("user:ada OR boom", record), [["", "boom"]]);
  assertEquals(shown("ms:>500 OR boom", record), [["", "boom"]]);
  assertEquals(shown("ms:>500 OR ms:<5", record), [["ms", "3"]]);
  assertEquals(shown("user:* ms:<=3", record), [["ms", "3"], ["user", "bob"]]);
  // A value that is shown as a whole is not shown in parts.
  assertEquals(shown("user:bo* bob 3", record), [["ms", "3"], ["user", "bob"]]);
});

Deno.test("logHighlighter() makes one of what overlaps", () => {
  const record = { ...RECORD, message: "a b c d, É f\u0301 g", fields: [] };
  assertEquals(shown('"a b" "b c"', record), [["", "a b c"]]);
  assertEquals(shown('"c d" b "a b c"', record), [["", "a b c d"]]);
  assertEquals(shown("a b", record), [["", "a"], ["", "b"]]);
  assertEquals(shown('"é f\u0301" "f\u0301 g"', record), [["", "É f\u0301 g"]]);
});

Deno.test("logHighlighter() property: shows all places of all words, and nothing else", () => {
  property(500, (random) => {
    const text = (length: number) => Array.from({ length }, () => random.pick(["a", "b", "ab", "-"])).join(" ");
    const record = { ...RECORD, message: text(random.below(20)), fields: [] };
    const words = Array.from({ length: 1 + random.below(4) }, () => ({
      text: text(1 + random.below(3)),
      isPrefix: random.below(2) === 0,
    }));
    const isShown = new Array<boolean>(record.message.length).fill(false);
    for (const { text, isPrefix } of words) {
      for (let at = 0; (at = findFolded(record.message, text, isPrefix, at)) >= 0; at += text.length) {
        isShown.fill(true, at, at + text.length);
      }
    }
    const of = words.map((words) => ({ type: "words", where: "anywhere", words }) as const);
    const found = logHighlighter({ type: "any", of })(record);
    let end = 0;
    for (const highlight of found) {
      assert(highlight.start >= end && highlight.end > highlight.start, JSON.stringify([record.message, words, found]));
      end = highlight.end;
    }
    const isFound = isShown.map((_, i) => found.some(({ start, end }) => i >= start && i < end));
    assertEquals(isFound, isShown, JSON.stringify([record.message, words, found]));
  });
});

Deno.test("logHighlighter() MAX_HIGHLIGHTS: shows the first so many", () => {
  const record: LogRecord = { ...RECORD, message: "x ".repeat(MAX_HIGHLIGHTS - 1), fields: [["a", "x x"], ["b", "x"]] };
  assertEquals(shown("x", record).map(([field]) => field), [...Array(MAX_HIGHLIGHTS - 1).fill(""), "a"]);
  assertEquals(shown("a:* x", record).length, MAX_HIGHLIGHTS);
  assertEquals(shown("x", { ...record, message: "x ".repeat(1000) }).length, MAX_HIGHLIGHTS);
});

Deno.test("logHighlighter() takes no longer for an entry that is full of what is sought, whatever the question", () => {
  const fields = Array.from({ length: MAX_LOG_FIELDS }, (_, i) => [`f${i}`, "a ".repeat(100)] as const);
  const same = logHighlighter(parseQuery("a ".repeat(MAX_SEARCH_TERMS), 0));
  // One place that all of them make together, phrase by phrase.
  const phrases = Array.from({ length: MAX_SEARCH_TERMS }, (_, i) => `"a${" a".repeat(i + 1)}"`);
  const overlapping = logHighlighter(parseQuery(phrases.join(" "), 0));
  const began = performance.now();
  assertEquals(same({ ...RECORD, message: "a", fields }).length, MAX_HIGHLIGHTS);
  assertEquals(overlapping({ ...RECORD, message: "a ".repeat(MAX_LOG_MESSAGE_BYTES / 2) }).length, 1);
  assertLess(performance.now() - began, 1000);
});

Deno.test("logHighlighter() property: what is highlighted is what was sought, in any script", () => {
  let checked = 0;
  property(500, (random) => {
    const record = randomRecord(random);
    const [word] = record.message.match(/[\p{L}\p{N}]+/u) ?? [];
    if (word === undefined) return;
    const words = { text: foldWord(word), isPrefix: true };
    for (const { field, start, end } of logHighlighter({ type: "words", where: "message", words })(record)) {
      assertEquals(field, undefined);
      const text = record.message.slice(start, end);
      assert(foldWord(text).startsWith(words.text.slice(0, 1)), JSON.stringify([record.message, word, text]));
      checked++;
    }
  });
  assert(checked > 100);
});
