/**
 * For `deno run --preload`: the hour of the process jumps, as often as the file that CLOCK_FILE names is changed. It has
 * the milliseconds by which Date is ahead. Timers and performance.now() go on as they do when a system's clock is set.
 *
 * @module
 */
const path = Deno.env.get("CLOCK_FILE") ?? "";
const systemNow = Date.now.bind(Date);
const SystemDate = Date;
let shift = readShift();

function readShift(): number {
  return Number(Deno.readTextFileSync(path));
}

// Told by a signal, so that a jump is there as soon as the signal is.
Deno.addSignalListener("SIGUSR2", () => shift = readShift());

globalThis.Date = class extends SystemDate {
  // deno-lint-ignore no-explicit-any -- those of Date
  constructor(...args: any[]) {
    super(...(args.length === 0 ? [systemNow() + shift] : args) as [number]);
  }

  static override now(): number {
    return systemNow() + shift;
  }
} as DateConstructor;
