/**
 * The job in Deno and in Node: `program.js CLIENT OPTIONS`, the client's specifier and the options as JSON. Prints what the
 * job returns.
 *
 * @module
 */
import process from "node:process";
import { runJob } from "./job.js";

const [client, options] = process.argv.slice(2);
const { createSluice } = await import(client);
console.log(JSON.stringify(await runJob(createSluice, JSON.parse(options))));
process.exit(0);
