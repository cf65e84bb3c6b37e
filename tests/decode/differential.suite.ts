/**
 * All decoders against protobuf-es, on as many messages each as one likes: `deno task test:differential --messages 1000000`.
 * `--seed N` begins with another seed, and `--only LogEntry` leaves the others out.
 *
 * @module
 */
import { parseArgs } from "node:util";
import { DIFFER } from "./subjects.ts";

const { values } = parseArgs({
  args: Deno.args,
  options: {
    messages: { type: "string", default: "1000000" },
    seed: { type: "string", default: "1" },
    only: { type: "string" },
  },
});
/** Messages of one seed: a difference is then found again in seconds. */
const RUN = 10_000;

for (const [name, differ] of Object.entries(DIFFER)) {
  if (values.only !== undefined && values.only !== name) continue;
  Deno.test(`${name}: ${values.messages} messages mean what protobuf-es says`, () => {
    let accepted = 0;
    let seed = Number(values.seed);
    for (let left = Number(values.messages); left > 0; left -= RUN) accepted += differ(Math.min(left, RUN), seed++);
    console.log(`${name}: ${values.messages} messages, ${accepted} of them valid, no difference`);
  });
}
