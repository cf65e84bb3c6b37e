/**
 * Texts cut into pieces, as a network cuts them.
 *
 * @module
 */
import type { Random } from "../../store/format/random.ts";

const encoder = new TextEncoder();

/** The text's bytes in one piece. */
export async function* bytesOf(text: string): AsyncGenerator<Uint8Array> {
  yield encoder.encode(text);
}

/** The text's bytes one by one, so that every character and every line end is split. */
export async function* byteByByte(text: string): AsyncGenerator<Uint8Array> {
  for (const byte of encoder.encode(text)) yield Uint8Array.of(byte);
}

/** The text cut at random, some pieces as bytes, others as text. */
export async function* cut(random: Random, text: string): AsyncGenerator<Uint8Array | string> {
  for (let at = 0; at < text.length;) {
    let end = at + 1 + random.below(12);
    // Text is cut between characters; bytes within them too.
    if (/^[\uDC00-\uDFFF]/.test(text.slice(end))) end++;
    const piece = text.slice(at, end);
    at = end;
    if (random.below(3) === 0) {
      yield piece;
      continue;
    }
    const bytes = encoder.encode(piece);
    const middle = random.below(bytes.length + 1);
    yield bytes.subarray(0, middle);
    yield bytes.subarray(middle);
  }
}

/** Runs an asynchronous property with seeds, and names the one at which it failed. */
export async function asyncProperty(
  runs: number,
  makeRandom: (seed: number) => Random,
  body: (random: Random) => Promise<void>,
): Promise<void> {
  const fixed = Deno.env.get("SEED");
  const first = fixed === undefined ? 1 : Number(fixed);
  for (let seed = first; seed < first + (fixed === undefined ? runs : 1); seed++) {
    try {
      await body(makeRandom(seed));
    } catch (error) {
      throw new Error(`fails with SEED=${seed}`, { cause: error });
    }
  }
}
