/**
 * Sends days of the data set by the project's own client: `send.ts URL KIND BEGIN FIRST END PER_DAY DAYS`.
 *
 * @module
 */
import { createSluice } from "../../client/mod.ts";
import { logsOfDay, pointsOfDay } from "./data.ts";

const [url, kind, ...numbers] = Deno.args;
const [begin, first, end, perDay, days] = numbers.map(Number);
const sluice = createSluice({ url });
let stored = 0;
for (let day = first; day < end; day++) {
  if (kind === "points") stored += (await sluice.sendPoints(pointsOfDay(begin, day, perDay))).successfulCount;
  else stored += Number((await sluice.sendLogs(logsOfDay(begin, day, perDay, days))).indexedCount);
}
console.log(stored);
