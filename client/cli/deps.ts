/**
 * What the command takes from npm, by full specifier: it is run by URL, from where no import map of ours applies.
 *
 * - commander: commands, options, help; without dependencies, with types of its own, the same in Deno and
 *   Node; 14 is the last that runs on Node 20.
 * - cli-progress: bars, several at a time; of those there are it alone only draws, and leaves the terminal as it was.
 * - tinyglobby: patterns, for shells that leave them to the program.
 *
 * @module
 */
export { Command, CommanderError, InvalidArgumentError, Option } from "npm:commander@14.0.3";
// @ts-types="npm:@types/cli-progress@3.11.6"
export { default as progress } from "npm:cli-progress@3.12.0";
// @ts-types="npm:@types/cli-progress@3.11.6"
export type { MultiBar, SingleBar } from "npm:cli-progress@3.12.0";
export { glob, isDynamicPattern } from "npm:tinyglobby@0.2.17";
