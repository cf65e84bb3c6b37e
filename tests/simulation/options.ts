/**
 * What the command line of the simulation says.
 *
 * @module
 */
import { parseArgs } from "node:util";
import { DELIBERATE_FAULTS } from "./deliberate_faults.ts";

export interface SuiteOptions {
  readonly first: number;
  readonly seeds: number;
  /** Names of deliberate faults to make, one after the other; none: the project as it is. */
  readonly faults: readonly string[];
  /** Whether to print the trace. */
  readonly verbose: boolean;
  readonly jobs: number;
}

const DEFAULT_SEEDS = 200;

/** Throws an Error that says what is wrong. */
export function parseOptions(args: readonly string[]): SuiteOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      seeds: { type: "string" },
      seed: { type: "string" },
      from: { type: "string" },
      fault: { type: "string" },
      jobs: { type: "string" },
      verbose: { type: "boolean", default: false },
    },
  });
  const integer = (name: "seeds" | "seed" | "from" | "jobs", otherwise: number) => {
    const text = values[name];
    if (text === undefined) return otherwise;
    if (!/^[1-9]\d{0,14}$/.test(text)) throw new Error(`--${name} must be a whole number above 0: it is ${text}`);
    return Number(text);
  };
  const { fault, verbose } = values;
  const names = Object.keys(DELIBERATE_FAULTS);
  if (fault !== undefined && fault !== "all" && !names.includes(fault)) {
    throw new Error(`--fault must be all or one of ${names.join(", ")}: it is ${fault}`);
  }
  const one = values.seed === undefined ? undefined : integer("seed", 1);
  return {
    first: one ?? integer("from", 1),
    seeds: one === undefined ? integer("seeds", DEFAULT_SEEDS) : 1,
    faults: fault === undefined ? [] : fault === "all" ? names : [fault],
    verbose,
    jobs: one === undefined && !verbose ? integer("jobs", navigator.hardwareConcurrency) : 1,
  };
}
