/**
 * Random questions in the language of searches, each with what it says, told without any of the code that is tested; and
 * entries that they are about.
 *
 * @module
 */
import { HOUR } from "../../../limits.ts";
import { LEVELS, type LogRecord } from "../../../store/log_types.ts";
import type { Random } from "../format/random.ts";

export const VOCABULARY = ["timeout", "Connection", "refused", "Ärger", "retry", "retrying", "42", "GET"];
export const USERS = ["ada", "Bob", "carol d"];

/** A query, and what it says, told without any of the code that is tested. */
export interface Question {
  readonly query: string;
  readonly holds: (record: LogRecord) => boolean;
}

/** Words as test entries have them: parted by one space. */
const wordsOf = (text: string) => text.toLowerCase().split(" ");
const textsOf = ({ message, fields }: LogRecord) => [message, ...fields.map(([, value]) => value)];
const valueOf = ({ fields }: LogRecord, name: string) => fields.find(([key]) => key === name)?.[1];

function randomCase(random: Random, text: string): string {
  return random.pick([text, text.toLowerCase(), text.toUpperCase()]);
}

/** One term. */
function term(random: Random, now: number): Question {
  const word = random.pick(VOCABULARY);
  const [first, second] = [random.pick(VOCABULARY), random.pick(VOCABULARY)];
  const number = random.below(100);
  const user = random.pick(USERS);
  const level = random.below(LEVELS.length);
  const application = `app${random.below(4)}`;
  const time = now - random.below(5 * HOUR);
  const hasPair = (text: string, a: string, b: string) =>
    wordsOf(text).some((one, i, all) => one === a.toLowerCase() && all[i + 1] === b.toLowerCase());
  return random.pick<() => Question>([
    () => ({
      query: randomCase(random, word),
      holds: (record) => textsOf(record).some((text) => wordsOf(text).includes(word.toLowerCase())),
    }),
    () => ({
      query: `${word.slice(0, 3)}*`,
      holds: (record) =>
        textsOf(record).some((text) => wordsOf(text).some((one) => one.startsWith(word.slice(0, 3).toLowerCase()))),
    }),
    () => ({
      query: `"${randomCase(random, first)} ${second}"`,
      holds: (record) => textsOf(record).some((text) => hasPair(text, first, second)),
    }),
    () => ({ query: `message:${word}`, holds: ({ message }) => wordsOf(message).includes(word.toLowerCase()) }),
    () => ({
      query: `user:"${randomCase(random, user)}"`,
      holds: (record) => valueOf(record, "user")?.toLowerCase() === user.toLowerCase(),
    }),
    () => ({ query: "user:*", holds: (record) => valueOf(record, "user") !== undefined }),
    () => ({ query: "user:C*", holds: (record) => valueOf(record, "user")?.startsWith("c") ?? false }),
    () => ({ query: `ms:>${number}`, holds: (record) => Number(valueOf(record, "ms")) > number }),
    () => ({ query: `ms:<=${number}`, holds: (record) => Number(valueOf(record, "ms")) <= number }),
    () => ({ query: `level:${LEVELS[level].toLowerCase()}+`, holds: (record) => record.level >= level }),
    () => ({ query: `level:${LEVELS[level]}`, holds: (record) => record.level === level }),
    () => ({ query: `level:<${LEVELS[level]}`, holds: (record) => record.level < level }),
    () => ({
      query: `app:${randomCase(random, application)}`,
      holds: (record) => record.application === application,
    }),
    () => ({ query: `time:>=${time}`, holds: ({ timestamp }) => timestamp >= time }),
    () => ({ query: `time:<${new Date(time).toISOString()}`, holds: ({ timestamp }) => timestamp < time }),
  ])();
}

export function question(random: Random, now: number, depth: number): Question {
  if (depth === 0 || random.below(4) === 0) return term(random, now);
  const [a, b] = [question(random, now, depth - 1), question(random, now, depth - 1)];
  return random.pick<Question>([
    { query: `(${a.query}) (${b.query})`, holds: (record) => a.holds(record) && b.holds(record) },
    { query: `(${a.query}) AND (${b.query})`, holds: (record) => a.holds(record) && b.holds(record) },
    { query: `(${a.query} OR ${b.query})`, holds: (record) => a.holds(record) || b.holds(record) },
    { query: `NOT (${a.query})`, holds: (record) => !a.holds(record) },
    { query: `-(${a.query}) (${b.query})`, holds: (record) => !a.holds(record) && b.holds(record) },
  ]);
}

/** Some entries from `begin` on; what they have in common gives their index something to rule out. */
export function randomRecords(random: Random, begin: number): LogRecord[] {
  const vocabulary = random.shuffle(VOCABULARY).slice(0, 3);
  const application = `app${random.below(3)}`;
  return Array.from({ length: 1 + random.below(40) }, (_, i): LogRecord => ({
    application,
    level: random.below(LEVELS.length),
    timestamp: begin + i,
    message: Array.from({ length: 1 + random.below(4) }, () => random.pick(vocabulary)).join(" "),
    fields: [
      ...random.below(2) === 0 ? [["ms", random.pick([`${random.below(100)}`, "none"])] as const] : [],
      ...random.below(2) === 0 ? [["user", random.pick(USERS)] as const] : [],
    ],
  }));
}

/** What tells an entry from others. */
export const recordText = ({ timestamp, message, application, level, fields }: LogRecord): string =>
  JSON.stringify([timestamp, message, application, level, fields]);
