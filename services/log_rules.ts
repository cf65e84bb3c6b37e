/**
 * Filter rules for log entries: the first rule that fits an entry says whether it is kept; an entry that none fits is.
 * As JSON, for example: `[{"action":"drop","application":"web","level":"DEBUG","pattern":"GET /healthz*"}]`.
 *
 * @module
 */
import { parseLevel } from "./log_level.ts";

export interface LogRule {
  readonly action: "drop" | "keep";
  /** The entry's application; any if left out. */
  readonly application?: string;
  /** Index into LEVELS: the entry's level; any if left out. */
  readonly level?: number;
  /** What the whole message must look like, `*` standing for any text; any if left out. */
  readonly pattern?: string;
}

const FIELDS = new Set(["action", "application", "level", "pattern"]);

/** Rules from JSON. Throws an Error that says what is wrong. */
export function parseLogRules(json: string): LogRule[] {
  let rules: unknown;
  try {
    rules = JSON.parse(json);
  } catch {
    throw new Error("must be JSON");
  }
  if (!Array.isArray(rules)) throw new Error("must be a JSON array of rules");
  return rules.map((rule, i) => {
    if (typeof rule !== "object" || rule === null) throw new Error(`rule ${i} must be an object`);
    for (const [name, value] of Object.entries(rule)) {
      if (!FIELDS.has(name)) throw new Error(`rule ${i} has an unknown field ${JSON.stringify(name)}`);
      if (typeof value !== "string") throw new Error(`${name} of rule ${i} must be a string`);
    }
    const { action, application, level, pattern } = rule as Record<string, string | undefined>;
    if (action !== "drop" && action !== "keep") throw new Error(`action of rule ${i} must be "drop" or "keep"`);
    const parsed = level === undefined ? undefined : parseLevel(level);
    if (level !== undefined && parsed === undefined) throw new Error(`level of rule ${i} is none`);
    return { action, application, level: parsed, pattern };
  });
}

/** Whether entries of one application and level are kept; where that depends on the message, what says so. */
export type Verdict = boolean | ((message: string) => boolean);

/** What the rules say of all entries of an application and level (index into LEVELS). */
export function verdict(rules: readonly LogRule[], application: string, level: number): Verdict {
  const fitting = rules.filter((rule) =>
    (rule.application === undefined || rule.application === application) &&
    (rule.level === undefined || rule.level === level)
  );
  if (fitting.length === 0) return true;
  if (fitting[0].pattern === undefined) return fitting[0].action === "keep";
  return (message) => {
    const rule = fitting.find(({ pattern }) => pattern === undefined || matchesGlob(message, pattern));
    return rule === undefined || rule.action === "keep";
  };
}

/** Whether `text` as a whole looks like `pattern`. Linear in the text: the first place that fits a part is as good as any. */
function matchesGlob(text: string, pattern: string): boolean {
  const [first, ...rest] = pattern.split("*");
  const last = rest.pop();
  if (last === undefined) return text === first;
  if (!text.startsWith(first)) return false;
  let at = first.length;
  for (const part of rest) {
    const found = text.indexOf(part, at);
    if (found === -1) return false;
    at = found + part.length;
  }
  return text.length - last.length >= at && text.endsWith(last);
}
