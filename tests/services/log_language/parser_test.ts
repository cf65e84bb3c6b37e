import { assertEquals, assertThrows } from "@std/assert";
import { Code, ConnectError } from "@connectrpc/connect";
import { MAX_SEARCH_DEPTH, MAX_SEARCH_QUERY_LENGTH, MAX_SEARCH_TERMS } from "../../../limits.ts";
import { parseQuery } from "../../../services/log_language/parser.ts";
import { EVERY_ENTRY, type LogCondition, type ValueCondition } from "../../../store/log_condition.ts";

const NOW = Date.UTC(2026, 0, 2, 12);

const parse = (query: string) => parseQuery(query, NOW);
const words = (text: string, isPrefix = false): LogCondition => ({
  type: "words",
  where: "anywhere",
  words: { text, isPrefix },
});
const field = (name: string, value: ValueCondition): LogCondition => ({ type: "field", name, value });
const all = (...of: LogCondition[]): LogCondition => ({ type: "all", of });
const any = (...of: LogCondition[]): LogCondition => ({ type: "any", of });
const not = (of: LogCondition): LogCondition => ({ type: "not", of });
const level = (from: number, to: number): LogCondition => ({ type: "level", from, to });
const time = (from: number, to: number): LogCondition => ({ type: "time", from, to });

Deno.test("parseQuery() reads words, phrases and what may go on", () => {
  assertEquals(parse(""), EVERY_ENTRY);
  assertEquals(parse(" \n "), EVERY_ENTRY);
  assertEquals(parse("*"), EVERY_ENTRY);
  assertEquals(parse("Timeout"), words("timeout"));
  assertEquals(parse('"Not  Found"'), words("not  found"));
  assertEquals(parse(String.raw`"say \"hi\" \\"`), words(String.raw`say "hi" \ `.trimEnd()));
  assertEquals(parse("conn*"), words("conn", true));
  assertEquals(parse('"connection res"*'), words("connection res", true));
  assertEquals(parse('"*foo" "f*o" "2*3"*'), all(words("*foo"), words("f*o"), words("2*3", true)));
  assertEquals(parse("(a*)b*"), all(words("a", true), words("b", true)));
  assertEquals(parse("10.0.0.1 /api/v1 12:30"), all(words("10.0.0.1"), words("/api/v1"), words("12:30")));
  assertEquals(parse("http://x/y"), words("http://x/y"));
  assertEquals(parse("message:slow"), { type: "words", where: "message", words: { text: "slow", isPrefix: false } });
  assertEquals(parse("and or not"), all(words("and"), words("or"), words("not")));
  assertEquals(parse("ANDROID NOTE"), all(words("android"), words("note")));
});

Deno.test("parseQuery() binds NOT closer than AND, and AND closer than OR", () => {
  const [a, b, c] = ["a", "b", "c"].map((text) => words(text));
  assertEquals(parse("a b OR c"), any(all(a, b), c));
  assertEquals(parse("a AND b OR c"), any(all(a, b), c));
  assertEquals(parse("a (b OR c)"), all(a, any(b, c)));
  assertEquals(parse("a(b)c"), all(a, b, c));
  assertEquals(parse("NOT a b"), all(not(a), b));
  assertEquals(parse("-a -(b OR c)"), all(not(a), not(any(b, c))));
  assertEquals(parse("NOT NOT a"), not(not(a)));
  assertEquals(parse('NOT"a"'), not(a));
  assertEquals(parse('"a"AND"b"OR"c"'), any(all(a, b), c));
  assertEquals(parse('NOT"a":b'), not(field("a", { type: "equal", value: "b" })));
  assertEquals(parse("a - b"), all(a, words("-"), b));
  assertEquals(parse("a -> b"), all(a, words("->"), b));
  assertEquals(parse("x-y"), words("x-y"));
});

Deno.test("parseQuery() reads fields, applications and levels", () => {
  assertEquals(parse("user:Ada"), field("user", { type: "equal", value: "ada" }));
  assertEquals(parse('user:"Ada L"'), field("user", { type: "equal", value: "ada l" }));
  assertEquals(parse('user:""'), field("user", { type: "equal", value: "" }));
  assertEquals(parse("user:Ad*"), field("user", { type: "prefix", value: "ad" }));
  assertEquals(parse("user:*"), field("user", { type: "any" }));
  assertEquals(parse("http.status:>=500"), field("http.status", { type: "number", comparison: ">=", value: 500 }));
  assertEquals(parse("ms:<-1.5e3"), field("ms", { type: "number", comparison: "<", value: -1500 }));
  assertEquals(
    parse('"the level":x "level":x'),
    all(
      field("the level", { type: "equal", value: "x" }),
      field("level", { type: "equal", value: "x" }),
    ),
  );
  for (const name of ["app", "application"]) {
    assertEquals(parse(`${name}:Shop`), { type: "application", value: { type: "equal", value: "shop" } });
  }
  assertEquals(parse("app:sh*"), { type: "application", value: { type: "prefix", value: "sh" } });
  assertEquals(parse("level:warn"), level(3, 3));
  assertEquals(parse("level:WARNING+"), level(3, 5));
  assertEquals(
    parse("level:>warn level:>=warn level:<warn level:<=warn"),
    all(
      level(4, 5),
      level(3, 5),
      level(0, 2),
      level(0, 3),
    ),
  );
});

Deno.test("parseQuery() reads times: dates, with and without an offset, milliseconds, and before now", () => {
  const day = Date.UTC(2026, 0, 2);
  assertEquals(parse("time:>=2026-01-02"), time(day, Infinity));
  assertEquals(parse("time:>2026-01-02T00:00"), time(day + 1, Infinity));
  assertEquals(parse("time:<2026-01-02T01:00+01:00"), time(-Infinity, day));
  assertEquals(parse("time:<=2026-01-02T00:00:00.001Z"), time(-Infinity, day + 2));
  assertEquals(parse("time:>-15m"), time(NOW - 900_000 + 1, Infinity));
  assertEquals(parse(`time:>=${day}`), time(day, Infinity));
  assertEquals(parse("time:>=2024-02-29"), time(Date.UTC(2024, 1, 29), Infinity));
});

Deno.test("parseQuery() says where a query is wrong, and what was expected there", () => {
  const cases: [query: string, at: number, expected: string][] = [
    ["(a", 3, "a closing parenthesis"],
    ["a)", 2, "a word, AND, OR or the end"],
    ["a OR", 5, "a word, a phrase, a field or an opening parenthesis"],
    ["a AND )", 7, "a word, a phrase, a field or an opening parenthesis"],
    ["OR a", 1, "a word, a phrase, a field or an opening parenthesis"],
    ["()", 2, "a word, a phrase, a field or an opening parenthesis"],
    ["NOT", 4, "a word, a phrase, a field or an opening parenthesis"],
    ['say "hi', 5, "a quotation mark that ends the text"],
    ['""', 1, "a word"],
    ["user:", 6, "a value after"],
    ["user: x", 6, "a value after"],
    ["ms:>fast", 5, "a number"],
    ["ms:>5*", 5, "a number"],
    ["level:loud", 7, "one of TRACE, DEBUG, INFO, WARN, ERROR, FATAL"],
    ["level:w*", 7, "one of TRACE"],
    ["level:+", 7, "one of TRACE"],
    ['level:" "', 7, "one of TRACE"],
    ["level:>=+", 9, "one of TRACE"],
    ["*foo", 2, "the end of a word after an asterisk"],
    ["a f*o", 5, "the end of a word after an asterisk"],
    ["user:*da", 7, "the end of a word after an asterisk"],
    ["a**", 3, "the end of a word after an asterisk"],
    ['"a b"*c', 7, "the end of a word after an asterisk"],
    ['app:"*', 5, "a quotation mark that ends the text"],
    ["time:yesterday", 6, "<, <=, > or >= before a time"],
    ["time:>yesterday", 7, "a time such as"],
    ["time:>2026-13-45", 7, "a time such as"],
    ["time:>2026-02-30", 7, "a time such as"],
    ["time:<2026-02-29T01:00+01:00", 7, "a time such as"],
    ["message:>3", 10, "words"],
  ];
  for (const [query, at, expected] of cases) {
    const error = assertThrows(() => parse(query), ConnectError, `expected ${expected}`, query);
    assertEquals(error.code, Code.InvalidArgument);
    assertEquals(/at character (\d+)/.exec(error.message)?.[1], String(at), error.message);
  }
});

Deno.test("parseQuery() bounds length, terms and depth", () => {
  const longest = "x".repeat(MAX_SEARCH_QUERY_LENGTH);
  assertEquals(parse(longest), words(longest));
  assertThrows(() => parse(`${longest}x`), ConnectError, `at most ${MAX_SEARCH_QUERY_LENGTH} characters`);
  parse("x ".repeat(MAX_SEARCH_TERMS));
  assertThrows(() => parse("x ".repeat(MAX_SEARCH_TERMS + 1)), ConnectError, `at most ${MAX_SEARCH_TERMS} terms`);
  const nested = (depth: number) => "(".repeat(depth) + "x" + ")".repeat(depth);
  parse(nested(MAX_SEARCH_DEPTH - 1));
  assertThrows(() => parse(nested(MAX_SEARCH_DEPTH)), ConnectError, "nested");
  assertThrows(() => parse("(".repeat(MAX_SEARCH_QUERY_LENGTH)), ConnectError, "nested");
  assertThrows(() => parse("NOT ".repeat(1000) + "x"), ConnectError, "nested");
});
