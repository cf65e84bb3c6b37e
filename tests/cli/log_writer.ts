/**
 * A program that writes a log while it is rotated, as logrotate does it.
 *
 * @module
 */

/** How the log is rotated. */
export type Rotation = "rename" | "copytruncate" | "none";

/** What was written. */
export interface Written {
  /** Lines in all. */
  lines: number;
  /** Lines that were written between a copy and the truncation: they are in no file. */
  lost: Set<number>;
  rotations: number;
}

/** The line of a number; recognised again by {@linkcode numberOf}. */
export function lineOf(number: number): string {
  return `${new Date().toISOString()} INFO line n${String(number).padStart(7, "0")} of the log äöü ${
    "x".repeat(number % 50)
  }`;
}

export function numberOf(line: string): number {
  return Number(/ n(\d{7}) of/.exec(line)?.[1]);
}

/** Writes lines at a rate, some bytes at a time so that lines are split, and rotates the file so many times meanwhile. */
export async function writeLog(
  path: string,
  options: { lines: number; linesPerSecond: number; rotation: Rotation; rotations: number },
): Promise<Written> {
  const { lines, linesPerSecond, rotation, rotations } = options;
  const written: Written = { lines: 0, lost: new Set(), rotations: 0 };
  const encoder = new TextEncoder();
  let file = await Deno.open(path, { append: true, create: true });
  const write = async (count: number) => {
    let text = "";
    for (let i = 0; i < count && written.lines < lines; i++) text += `${lineOf(written.lines++)}\n`;
    const bytes = encoder.encode(text);
    const middle = Math.floor(bytes.length / 2);
    await writeAll(file, bytes.subarray(0, middle));
    await writeAll(file, bytes.subarray(middle));
  };
  const every = Math.floor(lines / (rotations + 1));
  const start = performance.now();
  while (written.lines < lines) {
    await write(Math.ceil(linesPerSecond / 50));
    if (rotation !== "none" && written.rotations < rotations && written.lines >= every * (written.rotations + 1)) {
      written.rotations++;
      for (let i = written.rotations; i > 1; i--) await Deno.rename(`${path}.${i - 1}`, `${path}.${i}`);
      if (rotation === "rename") {
        await Deno.rename(path, `${path}.1`);
        const next = await Deno.open(path, { append: true, create: true });
        // Until it is told, the program goes on with the old file.
        await write(20);
        file.close();
        file = next;
      } else {
        await Deno.copyFile(path, `${path}.1`);
        const before = written.lines;
        await write(5);
        for (let i = before; i < written.lines; i++) written.lost.add(i);
        await file.truncate(0);
      }
    }
    const due = start + 1000 * written.lines / linesPerSecond;
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, due - performance.now())));
  }
  file.close();
  return written;
}

async function writeAll(file: Deno.FsFile, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
}
