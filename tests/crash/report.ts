/**
 * What a run with crashes comes to, in lines for a person.
 *
 * @module
 */
import { MIB } from "../../limits.ts";
import type { Traffic } from "../support/resuming_client.ts";
import { type Comparison, differs } from "./verify.ts";

/** Prints the comparison and what was sent twice; returns whether all is as it should be. */
export function report(comparison: Comparison, traffic: Traffic, replays: number, faults: readonly string[]): boolean {
  for (const kind of ["files", "points", "logs"] as const) {
    const { sent, lost, doubled, foreign } = comparison[kind];
    const name = kind === "logs" ? "log entries" : kind;
    console.log(`${sent} ${name} sent: lost ${lost}, doubled ${doubled}${foreign ? `, never sent ${foreign}` : ""}`);
  }
  const { calls, items, itemsAgain, bytes, bytesAgain, failures } = traffic;
  const failed = [...failures].map(([name, count]) => `${count} ${name}`).join(", ") || "none";
  console.log(`${calls} calls; failed and tried again: ${failed}; ${replays} finished streams sent again`);
  console.log(
    `sent twice: ${itemsAgain} of ${items} items (${percent(itemsAgain, items)}), ` +
      `${mib(bytesAgain)} of ${mib(bytes)} MiB of files (${percent(bytesAgain, bytes)})`,
  );
  for (const line of [...comparison.wrong, ...faults]) console.error(line);
  return faults.length === 0 && comparison.wrong.length === 0 && !differs(comparison);
}

function percent(part: number, whole: number): string {
  return `${(100 * part / Math.max(1, whole)).toFixed(1)} %`;
}

function mib(bytes: number): string {
  return (bytes / MIB).toFixed(1);
}
