import { assertEquals, assertThrows } from "@std/assert";
import { DamagedError, decodeValue, encodeValue, FORMAT } from "../../../store/format/value.ts";
import { property } from "./random.ts";

Deno.test("decodeValue() gives back what encodeValue() took", () =>
  property(100, (random) => {
    const format = random.below(256);
    const expires = random.pick([0, 2 ** 48 - 1, random.below(2 ** 48)]);
    const payload = random.bytes(random.below(100));
    const bytes = encodeValue(format, expires, payload);
    assertEquals(bytes[0], format);
    const decoded = decodeValue(bytes);
    assertEquals({ ...decoded, payload: Uint8Array.from(decoded.payload) }, { format, expires, payload });
  }));

Deno.test("decodeValue() refuses every flipped bit and every cut", () =>
  property(5, (random) => {
    const bytes = encodeValue(random.below(256), random.below(2 ** 48), random.bytes(random.below(30)));
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const flipped = bytes.slice();
      flipped[bit >> 3] ^= 1 << (bit & 7);
      assertThrows(() => decodeValue(flipped), DamagedError);
    }
    for (let length = 0; length < bytes.length; length++) {
      assertThrows(() => decodeValue(bytes.subarray(0, length)), DamagedError);
    }
  }));

Deno.test("encodeValue() refuses a format that is no byte and an expiry that does not fit", () => {
  for (const format of [-1, 256, 0.5]) assertThrows(() => encodeValue(format, 0, new Uint8Array()), RangeError);
  for (const expires of [-1, 2 ** 48, NaN]) assertThrows(() => encodeValue(1, expires, new Uint8Array()), RangeError);
});

Deno.test("FORMAT has a number of its own for each kind", () => {
  assertEquals(new Set(Object.values(FORMAT)).size, Object.keys(FORMAT).length);
});
