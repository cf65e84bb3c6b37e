/**
 * The part of the published package `@std/crypto` that this project uses, with the same names and signatures: the
 * platform's WebCrypto, whose `subtle.digest` also takes data that arrives piece by piece, and `timingSafeEqual`.
 *
 * @example
 * ```ts
 * import { crypto } from "@std/crypto";
 *
 * async function* pieces() {
 *   yield new TextEncoder().encode("piece by ");
 *   yield new TextEncoder().encode("piece");
 * }
 * const digest: ArrayBuffer = await crypto.subtle.digest("SHA-256", pieces());
 * ```
 *
 * @module
 */
import { createHash, type Hash } from "node:crypto";

export { timingSafeEqual } from "./timing_safe_equal.ts";

/** The digests that WebCrypto knows. */
export type DigestAlgorithmName = "SHA-1" | "SHA-256" | "SHA-384" | "SHA-512";

/** A digest by its name, or as WebCrypto's dictionary. */
export type DigestAlgorithm = DigestAlgorithmName | { name: DigestAlgorithmName };

/** WebCrypto's subtle, with a digest of data of any length. */
export interface StdSubtleCrypto extends SubtleCrypto {
  /**
   * Digest of `data`; of an iterable, without holding more than one piece.
   *
   * @throws {DOMException} NotSupportedError if the algorithm is not known.
   */
  digest(
    algorithm: DigestAlgorithm | AlgorithmIdentifier,
    data: BufferSource | AsyncIterable<BufferSource> | Iterable<BufferSource>,
  ): Promise<ArrayBuffer>;
}

/** WebCrypto with {@linkcode StdSubtleCrypto}. */
export interface StdCrypto extends Crypto {
  readonly subtle: StdSubtleCrypto;
}

const webCrypto = globalThis.crypto;

/** node:crypto's names. */
const NODE_NAMES: Readonly<Record<string, string>> = {
  "SHA-1": "sha1",
  "SHA-256": "sha256",
  "SHA-384": "sha384",
  "SHA-512": "sha512",
};

async function digest(
  algorithm: DigestAlgorithm | AlgorithmIdentifier,
  data: BufferSource | AsyncIterable<BufferSource> | Iterable<BufferSource>,
): Promise<ArrayBuffer> {
  if (data instanceof ArrayBuffer || ArrayBuffer.isView(data)) return await webCrypto.subtle.digest(algorithm, data);
  const hash = createStreamingHash(typeof algorithm === "string" ? algorithm : algorithm.name);
  if (Symbol.asyncIterator in data) {
    for await (const piece of data) hash.update(bytesOf(piece));
  } else {
    for (const piece of data) hash.update(bytesOf(piece));
  }
  return new Uint8Array(hash.digest()).buffer;
}

function createStreamingHash(name: string): Hash {
  const nodeName = NODE_NAMES[name.toUpperCase()];
  if (nodeName === undefined) throw new DOMException(`Unrecognized algorithm name: ${name}`, "NotSupportedError");
  return createHash(nodeName);
}

function bytesOf(source: BufferSource): Uint8Array {
  return ArrayBuffer.isView(source)
    ? new Uint8Array(source.buffer, source.byteOffset, source.byteLength)
    : new Uint8Array(source);
}

/** `target` with some properties replaced; its methods need it as `this`, which a plain proxy would not give them. */
function withOverrides<T extends object>(target: T, overrides: object): T {
  return new Proxy(target, {
    get(_, key) {
      const value = Reflect.get(key in overrides ? overrides : target, key);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

const subtle = withOverrides(webCrypto.subtle, { digest }) as StdSubtleCrypto;

/** The platform's WebCrypto, with a `subtle.digest` that takes iterables too. */
export const crypto: StdCrypto = withOverrides(webCrypto, { subtle }) as StdCrypto;
