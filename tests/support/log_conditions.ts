/**
 * Conditions of searches, made for tests.
 *
 * @module
 */
import { foldWord } from "../../store/format/tokens.ts";
import type { LogCondition } from "../../store/log_condition.ts";
import { LEVELS } from "../../store/log_types.ts";

/** What a simple search asks for. */
export interface Asked {
  readonly application?: string;
  readonly minLevel?: number;
  readonly words?: readonly string[];
  readonly fields?: readonly (readonly [key: string, value: string])[];
}

/** All of it at once. */
export function conditionOf({ application, minLevel = 0, words = [], fields = [] }: Asked): LogCondition {
  return {
    type: "all",
    of: [
      { type: "level", from: minLevel, to: LEVELS.length - 1 },
      ...application === undefined ? [] : [{ type: "application", value: exact(application) } as const],
      ...words.map((word): LogCondition => ({
        type: "words",
        where: "anywhere",
        words: { text: foldWord(word), isPrefix: false },
      })),
      ...fields.map(([name, value]): LogCondition => ({ type: "field", name, value: exact(value) })),
    ],
  };
}

function exact(value: string) {
  return { type: "exact", value } as const;
}
