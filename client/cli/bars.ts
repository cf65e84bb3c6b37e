/**
 * Progress on a terminal: a bar for each file, or what there is to say of a stream without an end. Elsewhere nothing is
 * drawn, and the commands say in a line what has come of it.
 *
 * @module
 */
import process from "node:process";
import { type MultiBar, progress, type SingleBar } from "./deps.ts";
import { type Context, printable } from "./context.ts";
import { bytes, count, duration } from "./format.ts";

/** Times a second that bars are drawn. */
const FPS = 10;

/** Characters of a bar: with the figures beside it, a line of 80 is not full. */
const BAR_CHARS = 20;

/** One line of progress. */
export interface Bar {
  /** How far it is, in bytes or items; `total` if that is known by now. */
  update(done: number, rate: number, total?: number): void;
  /** It is over: the line goes, so that only what is under way is drawn. */
  end(): void;
}

/** All lines of a command. */
export interface Bars {
  add(name: string, unit: "bytes" | "items"): Bar;
  stop(): void;
}

const NOTHING: Bars = { add: () => ({ update() {}, end() {} }), stop() {} };

export function createBars({ interactive, terminal }: Pick<Context, "interactive" | "terminal">): Bars {
  if (!interactive) return NOTHING;
  const bars = new progress.MultiBar({
    stream: process.stderr,
    fps: FPS,
    hideCursor: true,
    // Ctrl-C is the business of cli.ts.
    gracefulExit: false,
    clearOnComplete: true,
    stopOnComplete: false,
    emptyOnZero: true,
    format: "{name} {far}{done} {rate}/s {left}",
  }, progress.Presets.shades_classic);
  // What is written meanwhile goes above the bars.
  terminal.above = (text) => bars.log(`${text}\n`);
  return {
    add: (name, unit) => addBar(bars, name, unit),
    stop() {
      terminal.above = undefined;
      bars.update();
      bars.stop();
    },
  };
}

function addBar(bars: MultiBar, name: string, unit: "bytes" | "items"): Bar {
  const text = unit === "bytes" ? bytes : count;
  const label = printable(name);
  const payload = (done: number, rate: number, total: number | undefined) => ({
    name: label.length > 32 ? `…${label.slice(-31)}` : label.padEnd(16),
    done: text(done),
    rate: text(rate),
    // What goes on and on has none.
    far: total ? drawBar(Math.min(1, done / total)) : "",
    left: total && rate > 0 ? `ETA ${duration((total - done) / rate)}` : "",
  });
  const bar: SingleBar = bars.create(1, 0, payload(0, 0, undefined));
  return {
    update(done, rate, total) {
      bar.setTotal(Math.max(total ?? 0, 1));
      bar.update(total === undefined ? 0 : done, payload(done, rate, total));
    },
    end() {
      bar.stop();
      bars.remove(bar);
    },
  };
}

function drawBar(fraction: number): string {
  const full = Math.round(fraction * BAR_CHARS);
  const percent = `${Math.floor(100 * fraction)}%`.padStart(4);
  return `${"█".repeat(full)}${"░".repeat(BAR_CHARS - full)} ${percent} `;
}
