/**
 * Watches over a simulation: whoever asks the real machine for the time, for chance, for a timer or for the network makes
 * it irreproducible.
 *
 * @module
 */

/** Where on which objects such sources are. */
const SOURCES: readonly (readonly [owner: object, name: string])[] = [
  [Date, "now"],
  [Math, "random"],
  [performance, "now"],
  [globalThis, "setTimeout"],
  [globalThis, "setInterval"],
  [globalThis, "fetch"],
  [AbortSignal, "timeout"],
  [crypto, "getRandomValues"],
  [crypto, "randomUUID"],
  ...["digest", "sign", "importKey", "verify", "encrypt", "decrypt"].map((name) => [crypto.subtle, name] as const),
  ...["openKv", "open", "mkdir", "stat", "readDir", "remove", "readFile", "writeFile", "connect", "listen"].map((
    name,
  ) => [Deno, name] as const),
];

/** Tells `onUse` of every use, with the stack, until disposed of. */
export function watchRealSources(onUse: (what: string) => void): Disposable {
  const restore: (() => void)[] = [];
  for (const [owner, name] of SOURCES) {
    const original = Object.getOwnPropertyDescriptor(owner, name);
    const holder = owner as Record<string, (...args: unknown[]) => unknown>;
    const real = holder[name];
    Object.defineProperty(owner, name, {
      configurable: true,
      writable: true,
      value(...args: unknown[]) {
        onUse(`${name} was used\n${new Error().stack}`);
        return real.apply(owner, args);
      },
    });
    restore.push(() => {
      if (original) Object.defineProperty(owner, name, original);
      else delete holder[name];
    });
  }
  return { [Symbol.dispose]: () => restore.forEach((fn) => fn()) };
}
