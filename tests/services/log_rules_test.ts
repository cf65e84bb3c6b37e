import { assertEquals, assertLess, assertThrows } from "@std/assert";
import { type LogRule, parseLogRules, verdict } from "../../services/log_rules.ts";

/** Whether the rules keep an entry. */
function isKept(rules: readonly LogRule[], message: string, application = "web", level = 2): boolean {
  const kept = verdict(rules, application, level);
  return typeof kept === "boolean" ? kept : kept(message);
}

/** Whether a rule that drops by this pattern fits. */
const fits = (pattern: string, message: string) => !isKept([{ action: "drop", pattern }], message);

Deno.test("verdict() goes by the first rule that fits, and keeps what none fits", () => {
  const rules: LogRule[] = [
    { action: "keep", application: "web", level: 4 },
    { action: "drop", application: "web", pattern: "GET *" },
    { action: "drop", level: 1 },
  ];
  assertEquals(isKept(rules, "GET /", "web", 4), true);
  assertEquals(isKept(rules, "GET /", "web", 2), false);
  assertEquals(isKept(rules, "POST /", "web", 2), true);
  assertEquals(isKept(rules, "GET /", "api", 2), true);
  assertEquals(isKept(rules, "POST /", "api", 1), false);
  assertEquals(isKept([], ""), true);
  assertEquals(isKept([{ action: "drop" }], ""), false);
  // The rule without a pattern decides what the ones before it leave.
  const last: LogRule[] = [{ action: "keep", pattern: "a*" }, { action: "drop" }, { action: "keep", pattern: "b*" }];
  assertEquals(["ab", "b"].map((message) => isKept(last, message)), [true, false]);
});

Deno.test("verdict() asks for the message only where a pattern decides", () => {
  const rules: LogRule[] = [{ action: "drop", level: 1 }, { action: "drop", application: "web", pattern: "GET *" }];
  assertEquals(verdict(rules, "web", 1), false);
  assertEquals(verdict(rules, "api", 2), true);
  assertEquals(typeof verdict(rules, "web", 2), "function");
});

Deno.test("verdict() matches the whole message, * standing for any text", () => {
  const matching = [["", ""], ["*", ""], ["*", "any\nthing"], ["a*", "a"], ["*a", "ba"], ["a*c", "abc"], [
    "a*b*c",
    "a-b-b-c",
  ]];
  for (
    const [pattern, text] of [...matching, ["**a**", "xax"], ["a*a", "aa"], ["*ab*ab", "abab"], ["a.c", "a.c"], [
      "*a*",
      "cab",
    ]]
  ) {
    assertEquals(fits(pattern, text), true, `${pattern} ${text}`);
  }
  for (
    const [pattern, text] of [["", "a"], ["a", "A"], ["a", "ab"], ["a*a", "a"], ["a*b", "ac"], ["a.c", "abc"], [
      "*ab*ab",
      "ab",
    ]]
  ) {
    assertEquals(fits(pattern, text), false, `${pattern} ${text}`);
  }
});

Deno.test("verdict() agrees with a regular expression on short texts", () => {
  const texts = ["", "a", "b", "ab", "ba", "aab", "aba", "abab", "bbaa"];
  for (const pattern of ["*", "a*", "*a", "a*b", "*a*b", "a**b", "*a*a*", "ab*ab", "b*a*"]) {
    const expected = new RegExp(`^${pattern.replaceAll("*", ".*")}$`);
    for (const text of texts) assertEquals(fits(pattern, text), expected.test(text), `${pattern} ${text}`);
  }
});

Deno.test("verdict() stays fast with many stars and a long text that almost matches", () => {
  const began = performance.now();
  assertEquals(fits("*a".repeat(1000) + "*b", "a".repeat(32_000)), false);
  assertEquals(fits("*a".repeat(1000) + "*", "a".repeat(32_000)), true);
  assertEquals(fits("*".repeat(10_000) + "x", "a".repeat(32_000)), false);
  // Backtracking would take longer than there is time.
  assertLess(performance.now() - began, 2000);
});

Deno.test("parseLogRules() reads rules, levels in any spelling", () => {
  const json = '[{"action":"drop","application":"web","level":"warning","pattern":"x*"},{"action":"keep"}]';
  assertEquals(parseLogRules(json), [
    { action: "drop", application: "web", level: 3, pattern: "x*" },
    { action: "keep", application: undefined, level: undefined, pattern: undefined },
  ]);
  assertEquals(parseLogRules("[]"), []);
});

Deno.test("parseLogRules() says what is wrong", () => {
  const wrong: Record<string, string> = {
    "{": "must be JSON",
    "{}": "array",
    "[1]": "rule 0 must be an object",
    "[null]": "rule 0 must be an object",
    '[{"action":"keep"},{"action":"lose"}]': "action of rule 1",
    "[{}]": "action of rule 0",
    '[{"action":"drop","level":"loud"}]': "level of rule 0",
    '[{"action":"drop","levle":"info"}]': 'unknown field "levle"',
    '[{"action":"drop","level":3}]': "level of rule 0 must be a string",
  };
  for (const [json, message] of Object.entries(wrong)) assertThrows(() => parseLogRules(json), Error, message);
});
