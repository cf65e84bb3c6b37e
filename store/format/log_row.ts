/**
 * Entries of a segment that is open. Its numbers are decoded; a text is cut out, or folded, when somebody asks for it, for
 * most questions want few of them.
 *
 * @module
 */
import type { StoredLog } from "../log_types.ts";
import { decodeUtf8 } from "./byte_reader.ts";
import { logId } from "./log_id.ts";
import { foldWord } from "./tokens.ts";

/** What log_reader.ts has made sure of: every index is in range, and the texts are just as long as they say. */
export interface LogRows {
  readonly origins: readonly string[];
  /** Applications and field names. */
  readonly names: readonly string[];
  readonly timestamps: Float64Array;
  /** Index of each entry's origin. */
  readonly originOf: Int32Array;
  readonly ordinals: Int32Array;
  /** Index of the name of each entry's application. */
  readonly applications: Int32Array;
  readonly levels: Int32Array;
  /** Entry `i` has the fields from `fieldsFrom[i]` up to `fieldsFrom[i + 1]`. */
  readonly fieldsFrom: Int32Array;
  /** Of each field: index of its name, and which text its value is. Text `i` is the message of entry `i`. */
  readonly nameOf: Int32Array;
  readonly valueOf: Int32Array;
  readonly texts: LogTextsOfSegment;
}

const encoder = new TextEncoder();

/** The same text with memory of its own. What V8 cuts out of a text keeps all of that in memory. */
function ownText(text: string): string {
  return decodeUtf8(encoder.encode(text));
}

/** All texts of a segment. */
export class LogTextsOfSegment {
  #folded: string | undefined;

  /**
   * @param all The texts, with one unit between each two.
   * @param starts Where each begins, and where the one after the last would.
   * @param isAscii Then folding changes no text's length, and all are folded at once.
   */
  constructor(
    private readonly all: string,
    private readonly starts: Int32Array,
    private readonly isAscii: boolean,
  ) {}

  /** Cut out of all of them: see `ownText()`. */
  text(i: number): string {
    return this.all.slice(this.starts[i], this.starts[i + 1] - 1);
  }

  folded(i: number): string {
    if (!this.isAscii) return foldWord(this.text(i));
    this.#folded ??= foldWord(this.all);
    return this.#folded.slice(this.starts[i], this.starts[i + 1] - 1);
  }
}

/** One entry. It, and what it gives, keeps all of its segment in memory: `copy()` does not. */
export class LogRow implements StoredLog {
  constructor(private readonly rows: LogRows, private readonly at: number) {}

  get id(): string {
    const { origins, originOf, ordinals } = this.rows;
    return logId(origins[originOf[this.at]], ordinals[this.at]);
  }

  get application(): string {
    return this.rows.names[this.rows.applications[this.at]];
  }

  get level(): number {
    return this.rows.levels[this.at];
  }

  get timestamp(): number {
    return this.rows.timestamps[this.at];
  }

  get message(): string {
    return this.rows.texts.text(this.at);
  }

  get fields(): readonly (readonly [string, string])[] {
    const { fieldsFrom, names, nameOf, valueOf, texts } = this.rows;
    const fields: [string, string][] = [];
    for (let k = fieldsFrom[this.at]; k < fieldsFrom[this.at + 1]; k++) {
      fields.push([names[nameOf[k]], texts.text(valueOf[k])]);
    }
    return fields;
  }

  /** The value of a field; undefined if there is none of this name. */
  field(name: string): string | undefined {
    const { fieldsFrom, names, nameOf, valueOf, texts } = this.rows;
    for (let k = fieldsFrom[this.at]; k < fieldsFrom[this.at + 1]; k++) {
      if (names[nameOf[k]] === name) return texts.text(valueOf[k]);
    }
    return undefined;
  }

  /** See tokens.ts. */
  get foldedMessage(): string {
    return this.rows.texts.folded(this.at);
  }

  /** Whether a value of any field, folded, is as it should be. */
  someFoldedValue(isSo: (value: string) => boolean): boolean {
    const { fieldsFrom, valueOf, texts } = this.rows;
    for (let k = fieldsFrom[this.at]; k < fieldsFrom[this.at + 1]; k++) {
      if (isSo(texts.folded(valueOf[k]))) return true;
    }
    return false;
  }

  copy(): StoredLog {
    const { id, application, level, timestamp } = this;
    const fields = this.fields.map(([name, value]) => [name, ownText(value)] as const);
    return { id, application, level, timestamp, message: ownText(this.message), fields };
  }
}
