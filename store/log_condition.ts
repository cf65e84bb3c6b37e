/**
 * What a search asks of a log entry. services/log_language/ makes it from what people write; store/format/log_match.ts
 * says whether an entry meets it, and store/format/log_may_match.ts whether a segment may have one that does.
 *
 * @module
 */

/** A condition. Where nothing else is said, text is compared folded: see store/format/tokens.ts. */
export type LogCondition =
  /** Each of them; none: any entry. */
  | { readonly type: "all"; readonly of: readonly LogCondition[] }
  /** At least one of them. */
  | { readonly type: "any"; readonly of: readonly LogCondition[] }
  | { readonly type: "not"; readonly of: LogCondition }
  /** Indexes into LEVELS, both inclusive. */
  | { readonly type: "level"; readonly from: number; readonly to: number }
  /** ms since the epoch: from `from` (inclusive) up to `to` (exclusive). */
  | { readonly type: "time"; readonly from: number; readonly to: number }
  | { readonly type: "application"; readonly value: ValueCondition }
  /** The entry has a field of this name, and its value is one of these. */
  | { readonly type: "field"; readonly name: string; readonly value: ValueCondition }
  /** These words stand in the message, or (`anywhere`) in it or in a field's value. */
  | { readonly type: "words"; readonly where: "message" | "anywhere"; readonly words: Words };

/** What a value has to be. */
export type ValueCondition =
  | { readonly type: "any" }
  /** The same to the letter. */
  | { readonly type: "exact"; readonly value: string }
  /** The same, both folded; `value` is. */
  | { readonly type: "equal"; readonly value: string }
  /** It begins with this, both folded; `value` is. */
  | { readonly type: "prefix"; readonly value: string }
  /** A decimal number, which compares so with `value`. What is no number does not. */
  | { readonly type: "number"; readonly comparison: Comparison; readonly value: number };

export type Comparison = "<" | "<=" | ">" | ">=";

/** One word or several, with all that stands between them, folded. */
export interface Words {
  readonly text: string;
  /** The last word may go on. */
  readonly isPrefix: boolean;
}

/** Every entry. */
export const EVERY_ENTRY: LogCondition = { type: "all", of: [] };

/** The times at which an entry that meets the condition can be: ms since the epoch, `to` exclusive. */
export function timesOf(condition: LogCondition): { readonly from: number; readonly to: number } {
  if (condition.type === "time") return condition;
  if (condition.type !== "all") return { from: -Infinity, to: Infinity };
  const parts = condition.of.map(timesOf);
  return {
    from: Math.max(-Infinity, ...parts.map(({ from }) => from)),
    to: Math.min(Infinity, ...parts.map(({ to }) => to)),
  };
}
