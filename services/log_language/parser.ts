/**
 * Makes a condition of a query.
 *
 * ```
 * query  = [any] end
 * any    = all { "OR" all }
 * all    = one { ["AND"] one }
 * one    = ("NOT" | "-") one | "(" any ")" | term
 * ```
 *
 * @module
 */
import { invalidArgument } from "../../errors.ts";
import { MAX_SEARCH_DEPTH, MAX_SEARCH_QUERY_LENGTH, MAX_SEARCH_TERMS } from "../../limits.ts";
import { EVERY_ENTRY, type LogCondition } from "../../store/log_condition.ts";
import { malformed, type Token, tokenize } from "./lexer.ts";
import { conditionOf } from "./terms.ts";

/**
 * The condition that a query says; see docs/search.md for the language.
 *
 * @param now ms since the epoch: what times such as `-15m` count from.
 * @throws {ConnectError} INVALID_ARGUMENT, with the place and what was expected there.
 */
export function parseQuery(query: string, now: number): LogCondition {
  if (query.length > MAX_SEARCH_QUERY_LENGTH) {
    throw invalidArgument("query", `must have at most ${MAX_SEARCH_QUERY_LENGTH} characters, not ${query.length}`);
  }
  return new Parser(query, now).parse();
}

class Parser {
  readonly #tokens: readonly Token[];
  #next = 0;
  #depth = 0;

  constructor(private readonly query: string, private readonly now: number) {
    this.#tokens = tokenize(query);
    const terms = this.#tokens.reduce((sum, { type }) => sum + Number(type === "term"), 0);
    if (terms > MAX_SEARCH_TERMS) {
      throw invalidArgument("query", `must have at most ${MAX_SEARCH_TERMS} terms, not ${terms}`);
    }
  }

  parse(): LogCondition {
    if (this.#take("end")) return EVERY_ENTRY;
    const condition = this.#any();
    if (!this.#take("end")) throw this.#malformed("a word, AND, OR or the end");
    return condition;
  }

  #any(): LogCondition {
    const of = [this.#all()];
    while (this.#take("OR")) of.push(this.#all());
    return of.length === 1 ? of[0] : { type: "any", of };
  }

  #all(): LogCondition {
    const of = [this.#one()];
    for (;;) {
      const isNamed = this.#take("AND");
      const { type } = this.#peek;
      if (!isNamed && (type === "end" || type === ")" || type === "OR")) break;
      of.push(this.#one());
    }
    return of.length === 1 ? of[0] : { type: "all", of };
  }

  #one(): LogCondition {
    const token = this.#peek;
    if (++this.#depth > MAX_SEARCH_DEPTH) {
      throw invalidArgument("query", `must not be nested more than ${MAX_SEARCH_DEPTH} deep`);
    }
    try {
      if (this.#take("NOT") || this.#take("-")) return { type: "not", of: this.#one() };
      if (this.#take("(")) {
        const condition = this.#any();
        if (!this.#take(")")) throw this.#malformed("a closing parenthesis");
        return condition;
      }
      if (token.type !== "term") throw this.#malformed("a word, a phrase, a field or an opening parenthesis");
      this.#next++;
      return conditionOf(this.query, token, this.now);
    } finally {
      this.#depth--;
    }
  }

  get #peek(): Token {
    return this.#tokens[this.#next];
  }

  #take(type: Token["type"]): boolean {
    if (this.#peek.type !== type) return false;
    this.#next++;
    return true;
  }

  #malformed(expected: string): Error {
    return malformed(this.query, this.#peek.at, expected);
  }
}
