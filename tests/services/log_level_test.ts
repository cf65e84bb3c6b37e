import { assertEquals } from "@std/assert";
import { parseLevel } from "../../services/log_level.ts";
import { LEVELS } from "../../store/log_types.ts";

Deno.test("parseLevel() knows the usual spellings, in any case and with spaces around", () => {
  const spellings: Record<string, string> = {
    "": "INFO",
    " ": "INFO",
    info: "INFO",
    Informational: "INFO",
    notice: "INFO",
    I: "INFO",
    w: "WARN",
    Warning: "WARN",
    " warn\n": "WARN",
    err: "ERROR",
    SEVERE: "ERROR",
    critical: "FATAL",
    emerg: "FATAL",
    panic: "FATAL",
    verbose: "TRACE",
    finest: "TRACE",
    dbg: "DEBUG",
    fine: "DEBUG",
  };
  for (const [text, level] of Object.entries(spellings)) assertEquals(LEVELS[parseLevel(text) ?? -1], level, text);
  for (const [i, level] of LEVELS.entries()) assertEquals(parseLevel(level.toLowerCase()), i);
});

Deno.test("parseLevel() is undefined for what is no level", () => {
  for (const text of ["loud", "7", "in fo", "INFOO", "constructor", "__proto__"]) {
    assertEquals(parseLevel(text), undefined, text);
  }
});
