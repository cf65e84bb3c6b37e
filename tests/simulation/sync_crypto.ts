/**
 * WebCrypto's SHA-256 and HMAC without threads: the same results, at once, so that nothing but the seed says what comes
 * first.
 *
 * @module
 */
import { createHash, createHmac } from "node:crypto";

type Data = ArrayBuffer | ArrayBufferView<ArrayBuffer>;

const HOLDER = crypto.subtle as unknown as Record<string, unknown>;
const keys = new WeakMap<object, Uint8Array>();

const REPLACEMENTS = {
  digest(algorithm: AlgorithmIdentifier, data: Data): Promise<ArrayBuffer> {
    assertKnown(nameOf(algorithm) === "SHA-256");
    return Promise.resolve(buffer(createHash("sha256").update(bytes(data)).digest()));
  },
  importKey(format: string, key: Data): Promise<object> {
    assertKnown(format === "raw");
    const imported = {};
    keys.set(imported, bytes(key).slice());
    return Promise.resolve(imported);
  },
  sign(algorithm: AlgorithmIdentifier, key: object, data: Data): Promise<ArrayBuffer> {
    assertKnown(nameOf(algorithm) === "HMAC");
    return Promise.resolve(buffer(createHmac("sha256", keys.get(key)!).update(bytes(data)).digest()));
  },
};

/** Puts it in the place of WebCrypto until disposed of. */
export function useSyncCrypto(): Disposable {
  for (const [name, value] of Object.entries(REPLACEMENTS)) {
    Object.defineProperty(HOLDER, name, { configurable: true, writable: true, value });
  }
  return {
    [Symbol.dispose]() {
      for (const name of Object.keys(REPLACEMENTS)) delete HOLDER[name];
    },
  };
}

const nameOf = (algorithm: AlgorithmIdentifier) => typeof algorithm === "string" ? algorithm : algorithm.name;

function bytes(data: Data): Uint8Array {
  return data instanceof ArrayBuffer
    ? new Uint8Array(data)
    : new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

const buffer = (data: Uint8Array) => new Uint8Array(data).buffer as ArrayBuffer;

function assertKnown(isKnown: boolean): void {
  if (!isKnown) throw new Error("the simulation does not know this algorithm");
}
