import { assertEquals } from "@std/assert";
import { encodeKey } from "./kv_key.ts";
import { Random } from "./random.ts";

/** Deno KV in memory, with a value under each key. */
async function realOrder(keys: readonly Deno.KvKey[]): Promise<Deno.KvKey[]> {
  using kv = await Deno.openKv(":memory:");
  for (const key of keys) await kv.set(key, 1);
  return (await Array.fromAsync(kv.list({ prefix: [] }))).map(({ key }) => key);
}

const sorted = (keys: readonly Deno.KvKey[]) =>
  keys.toSorted((a, b) => encodeKey(a) < encodeKey(b) ? -1 : encodeKey(a) > encodeKey(b) ? 1 : 0);

Deno.test("encodeKey() orders every kind of part as Deno KV does", async () => {
  const parts: Deno.KvKeyPart[] = [
    ...[[], [0], [0, 0], [0, 1], [1], [255], [255, 0]].map((bytes) => new Uint8Array(bytes)),
    ...["", "\0", "\0\0", "\0a", "a", "a\0", "ab", "é", "\uffff", "\u{10000}"],
    ...[0n, 1n, -1n, 255n, 256n, -255n, -256n, 2n ** 64n - 1n, 2n ** 64n, -(2n ** 64n), -(2n ** 64n) + 1n, 2n ** 80n],
    ...[0, -0, 1, -1, 1.5, -1.5, 1e300, -1e300, 5e-324, Infinity, -Infinity, NaN],
    ...[true, false],
  ];
  const keys = parts.flatMap((part): Deno.KvKey[] => [[part], [part, "x"], ["y", part]]);
  assertEquals(sorted(keys), await realOrder(keys));
});

Deno.test("encodeKey() orders random keys as Deno KV does", async () => {
  const random = new Random(11);
  const part = (): Deno.KvKeyPart => {
    switch (random.between(0, 4)) {
      case 0:
        return random.bytes(random.between(0, 3)).map((byte) => byte % 3);
      case 1:
        return Array.from(random.bytes(random.between(0, 3)), (byte) => "\0aé"[byte % 3]).join("");
      case 2:
        return (BigInt(random.uint32()) - 2n ** 31n) << BigInt(random.between(0, 60));
      case 3:
        return (random.next() - 0.5) * 10 ** random.between(-3, 9);
      default:
        return random.chance(0.5);
    }
  };
  const keys = Array.from({ length: 500 }, () => Array.from({ length: random.between(1, 3) }, part));
  const unique = [...new Map(keys.map((key) => [encodeKey(key), key])).values()];
  assertEquals(sorted(unique), await realOrder(unique));
});

Deno.test("encodeKey() is as long as what Deno KV counts", async () => {
  using kv = await Deno.openKv(":memory:");
  const beginnings: Deno.KvKeyPart[] = [new Uint8Array([0, 1]), "é\0", 7n, -(2n ** 70n), 2n ** 64n, 1.5, true];
  for (const beginning of beginnings) {
    const rest = 2048 - encodeKey([beginning, ""]).length;
    await kv.set([beginning, "x".repeat(rest)], 1);
    const error = await kv.set([beginning, "x".repeat(rest + 1)], 1).catch((e) => e);
    assertEquals(error instanceof TypeError, true, `${String(beginning)} is shorter than it seems`);
  }
});
