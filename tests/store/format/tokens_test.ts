import { assert, assertEquals } from "@std/assert";
import { MAX_TOKEN_BYTES } from "../../../limits.ts";
import { findFolded, foldWord, forEachToken } from "../../../store/format/tokens.ts";
import { property } from "./random.ts";

function tokens(text: string): string[] {
  const all: string[] = [];
  forEachToken(text, (token) => all.push(token));
  return all;
}

Deno.test("forEachToken() finds runs of letters, digits and underscores, folded", () => {
  assertEquals(tokens("GET /api/v1_x?id=42 -> 200 OK"), ["get", "api", "v1_x", "id", "42", "200", "ok"]);
  assertEquals(tokens("Straße, CAFÉ; 東京 été_1"), ["straße", "café", "東京", "été_1"]);
  assertEquals(tokens("ascii then Ünicode x"), ["ascii", "then", "ünicode", "x"]);
  assertEquals(tokens(" \0,.- "), []);
  assertEquals(tokens(""), []);
});

Deno.test("foldWord() makes equal what differs in case or in composition", () => {
  for (
    const [a, b] of [["CAFE\u0301", "café"], ["ΣΑΣ", "σας"], ["\u212aelvin", "kelvin"], ["Ⅷ", "ⅷ"], ["İ", "i\u0307"]]
  ) {
    assertEquals(foldWord(a), foldWord(b));
    assertEquals(tokens(a), [foldWord(b)]);
  }
});

Deno.test("foldWord() changes nothing that it made", () =>
  property(300, (random) => {
    const folded = foldWord(random.text(30));
    assertEquals(foldWord(folded), folded);
  }));

Deno.test("forEachToken() cuts a long word to whole characters of MAX_TOKEN_BYTES", () => {
  assertEquals(tokens("a".repeat(1000)), ["a".repeat(MAX_TOKEN_BYTES)]);
  assertEquals(tokens("x" + "é".repeat(1000)), ["x" + "é".repeat((MAX_TOKEN_BYTES - 2) / 2)]);
  assertEquals(tokens("𝒳".repeat(100)), ["𝒳".repeat(MAX_TOKEN_BYTES / 4)]);
});

/** Whether a text has these words. */
const hasWord = (text: string, words: string) => findFolded(foldWord(text), words, false) >= 0;

Deno.test("findFolded() knows whole words, those too that tokens cut", () => {
  const long = "a".repeat(200);
  assert(hasWord(`x ${long}b.`, `${long}b`));
  assert(!hasWord(`x ${long}b.`, long));
  assert(hasWord("Connection REFUSED by host", "refused"));
  assert(!hasWord("Connection REFUSED by host", "refuse"));
  assert(!hasWord("Connection REFUSED by host", "fused"));
  assert(hasWord("no refusedx refused", "refused"));
  assert(!hasWord("𝒳a", "a"));
  assert(!hasWord("a𝒳", "a"));
  assert(hasWord("😀a😀", "a"));
});

Deno.test("findFolded() takes several words as they stand", () => {
  assert(hasWord("from 10.0.0.1:80", "10.0.0.1"));
  assert(!hasWord("from 10.0.0.11", "10.0.0.1"));
  assert(!hasWord("from 110.0.0.1", "10.0.0.1"));
  assert(hasWord("a -> b", "->"));
  assertEquals(findFolded("a connection, connected", "connect", false), -1);
  assertEquals(findFolded("a connection, connected", "connect", true), 2);
  assertEquals(findFolded("a connection, connected", "connect", true, 3), 14);
  assertEquals(findFolded("disconnected", "connect", true), -1);
});

Deno.test("findFolded() is true of each word of a text, and what it is true of has all its tokens there", () =>
  property(500, (random) => {
    const text = random.text(30);
    const own = tokens(text);
    for (const token of own) assert(hasWord(text, token), `${JSON.stringify(text)} has ${JSON.stringify(token)}`);
    const start = random.below(text.length + 1);
    const sought = foldWord(text.slice(start, start + random.below(8)));
    if (hasWord(text, sought)) {
      for (const token of tokens(sought)) {
        assert(own.includes(token), `${JSON.stringify(token)} is a token of ${JSON.stringify(text)}`);
      }
    }
  }));
