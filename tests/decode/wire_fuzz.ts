/**
 * Random protobuf messages, in canonical and in odd encodings, broken ones, and what they mean. For messages whose fields
 * are strings, int64s, bytes, bools, and maps from strings to strings or doubles; the descriptor says which.
 *
 * @module
 */
import {
  create,
  type DescField,
  type DescMessage,
  fromBinary,
  type MessageShape,
  ScalarType,
  toBinary,
} from "@bufbuild/protobuf";
import { BinaryReader, BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import type { Random } from "../store/format/random.ts";

/** As in decode/wire.ts. */
const MAX_GROUP_DEPTH = 100;
const MAX_FIELD = 2 ** 29 - 1;

/** Names and words that come again and again, so that messages have things in common. */
const FREQUENT = ["", "api", "web", "user", "path", "zone", "x", "__proto__", "10", "9", "é", "漢字", "\0", "😀"];

// ---- messages ----

/** A random message; if `like` is given, one that mostly has its texts and keys, but other numbers and values. */
export function randomMessage<D extends DescMessage>(
  desc: D,
  random: Random,
  like?: MessageShape<D>,
): MessageShape<D> {
  const message = create(desc);
  const fields = message as unknown as Record<string, unknown>;
  for (const field of desc.fields) {
    const same = like && (like as unknown as Record<string, unknown>)[field.localName];
    if (field.fieldKind === "map") {
      const keys = same ? Object.keys(same) : Array.from({ length: random.below(5) }, () => randomText(random));
      fields[field.localName] = Object.fromEntries(keys.map((key) => [key, randomScalar(scalarOf(field), random)]));
    } else if (same !== undefined && scalarOf(field) === ScalarType.STRING && random.below(8) > 0) {
      fields[field.localName] = same;
    } else {
      fields[field.localName] = randomScalar(scalarOf(field), random);
    }
  }
  return message;
}

function randomText(random: Random): string {
  const kind = random.below(64);
  if (kind < 36) return random.pick(FREQUENT);
  if (kind < 48) return random.text(12);
  if (kind < 58) return "GET /api/v1/orders took 12 ms, and so on for a while".slice(0, random.below(60));
  if (kind < 63 || random.below(8) > 0) return random.text(200);
  return random.pick(["x", "ü", "漢"]).repeat(random.below(40_000));
}

function randomScalar(type: ScalarType, random: Random): unknown {
  switch (type) {
    case ScalarType.STRING:
      return randomText(random);
    case ScalarType.BYTES:
      return random.bytes(random.below(50));
    case ScalarType.BOOL:
      return random.below(2) === 1;
    case ScalarType.DOUBLE:
      return random.pick([0, -0, NaN, Infinity, random.double(), random.below(1000), random.gaussian()]);
    case ScalarType.INT64: {
      const near = 2n ** BigInt(random.below(64)) + BigInt(random.below(5) - 2);
      const any = BigInt.asIntN(64, random.below(3) === 0 ? -near : near);
      return random.pick([0n, 1n, BigInt(1_700_000_000_000 + random.below(1e9)), BigInt(random.integer()), any]);
    }
    default:
      throw new Error(`no random value of type ${ScalarType[type]}`);
  }
}

function scalarOf(field: DescField): ScalarType {
  if (field.scalar === undefined) throw new Error(`${field} is not of a kind that is known here`);
  return field.scalar;
}

// ---- encodings ----

/** As canonical encoders write it. */
export function encode<D extends DescMessage>(desc: D, message: MessageShape<D>): Uint8Array<ArrayBuffer> {
  return toBinary(desc, message) as Uint8Array<ArrayBuffer>;
}

/**
 * In some way that protobuf allows: fields and entries in any order, repeated, missing, of other wire types than they
 * should have, with unknown ones in between, tags, lengths and numbers longer than needed. It may mean something else.
 */
export function encodeOddly<D extends DescMessage>(
  desc: D,
  message: MessageShape<D>,
  random: Random,
): Uint8Array<ArrayBuffer> {
  const records: number[][] = [];
  const add = (fields: Record<string, unknown>) => {
    for (const field of desc.fields) {
      const value = fields[field.localName];
      if (field.fieldKind !== "map") {
        records.push(scalarRecord(field.number, scalarOf(field), value, random));
      } else {
        for (const [key, own] of Object.entries(value as Record<string, unknown>)) {
          records.push(delimitedRecord(field.number, oddEntry(scalarOf(field), key, own, random), random));
        }
      }
    }
  };
  add(message as unknown as Record<string, unknown>);
  while (random.below(3) === 0) {
    const again = randomMessage(desc, random, random.pick([message, undefined]));
    add(again as unknown as Record<string, unknown>);
  }
  while (random.below(2) === 0) records.push(unknownRecord(1 + desc.fields.length, random));
  const kept = random.below(3) === 0 ? records.filter(() => random.below(4) > 0) : records;
  return Uint8Array.from((random.below(3) === 0 ? kept : random.shuffle(kept)).flat());
}

function oddEntry(type: ScalarType, key: string, value: unknown, random: Random): number[] {
  const records = [scalarRecord(1, ScalarType.STRING, key, random), scalarRecord(2, type, value, random)];
  while (random.below(8) === 0) records.push(scalarRecord(1, ScalarType.STRING, randomText(random), random));
  while (random.below(8) === 0) records.push(scalarRecord(2, type, randomScalar(type, random), random));
  while (random.below(8) === 0) records.push(unknownRecord(2, random));
  const kept = random.below(8) === 0 ? records.filter(() => random.below(2) === 0) : records;
  return (random.below(4) === 0 ? random.shuffle(kept) : kept).flat();
}

function scalarRecord(field: number, type: ScalarType, value: unknown, random: Random): number[] {
  switch (type) {
    case ScalarType.STRING:
      return delimitedRecord(field, [...new TextEncoder().encode(value as string)], random);
    case ScalarType.BYTES:
      return delimitedRecord(field, [...value as Uint8Array], random);
    case ScalarType.DOUBLE:
      return [...tag(field, WireType.Bit64, random), ...new Uint8Array(Float64Array.of(value as number).buffer)];
    default:
      return [...tag(field, WireType.Varint, random), ...varint(BigInt(value as bigint | boolean), 10, random)];
  }
}

function delimitedRecord(field: number, content: number[], random: Random): number[] {
  return [...tag(field, WireType.LengthDelimited, random), ...varint(BigInt(content.length), 10, random), ...content];
}

/** A field of any number and wire type: mostly unknown, but perhaps a known one up to `known` of a wrong type. */
function unknownRecord(known: number, random: Random, depth = 0): number[] {
  const field = random.pick([1 + random.below(known), known + 1, 15, 16, 2047, MAX_FIELD]);
  switch (random.below(5)) {
    case 0:
      return [...tag(field, WireType.Varint, random), ...varint(BigInt(random.integer()), 10, random)];
    case 1:
      return [...tag(field, WireType.Bit64, random), ...random.bytes(8)];
    case 2:
      return [...tag(field, WireType.Bit32, random), ...random.bytes(4)];
    case 3: {
      const content: number[] = [];
      while (depth < 5 && random.below(2) === 0) content.push(...unknownRecord(known, random, depth + 1));
      return [...tag(field, WireType.StartGroup, random), ...content, ...tag(field, WireType.EndGroup, random)];
    }
    default:
      return delimitedRecord(field, [...new TextEncoder().encode(random.text(8))], random);
  }
}

function tag(field: number, type: WireType, random: Random): number[] {
  return varint(BigInt(field) << 3n | BigInt(type), 5, random);
}

/** A varint, now and then in more bytes than it needs, up to `most`. */
function varint(value: bigint, most: number, random: Random): number[] {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, value);
  do {
    bytes.push(Number(rest & 0x7fn));
    rest >>= 7n;
  } while (rest > 0n);
  if (random.below(16) === 0) { while (bytes.length < most && random.below(3) > 0) bytes.push(0); }
  return bytes.map((byte, i) => i < bytes.length - 1 ? byte | 0x80 : byte);
}

// ---- mutations ----

/** `bytes` with bits flipped, cut, with more in between, repeated parts or other lengths: mostly no longer a message. */
export function mutate(bytes: Uint8Array, random: Random): Uint8Array<ArrayBuffer> {
  let mutated = Uint8Array.from(bytes);
  for (let times = 1 + random.below(3); times > 0; times--) {
    // Most of a message is text; what is near the beginning is more likely to be structure.
    const at = random.below(random.pick([mutated.length, Math.min(mutated.length, 16)]));
    const span = random.below(Math.min(mutated.length - at, 20) + 1);
    const replace = (deleted: number, by: ArrayLike<number>) => {
      mutated = Uint8Array.of(...mutated.subarray(0, at), ...Array.from(by), ...mutated.subarray(at + deleted));
    };
    switch (mutated.length > 20_000 ? random.below(3) : random.below(6)) {
      case 0:
        if (mutated.length > 0) mutated[at] ^= 1 << random.below(8);
        break;
      case 1:
        if (mutated.length > 0) mutated[at] += random.pick([1, -1, 127, 128]);
        break;
      case 2:
        mutated = mutated.slice(0, random.pick([at, mutated.length - Math.min(mutated.length, random.below(4))]));
        break;
      case 3:
        replace(0, random.pick([random.bytes(1 + random.below(4)), [0xff, 0xff, 0xff, 0xff, 0x0f], [0xc3], [0x80]]));
        break;
      case 4:
        replace(span, []);
        break;
      default:
        replace(0, mutated.slice(at, at + span));
    }
  }
  return mutated;
}

// ---- meaning ----

/**
 * What the bytes say as a message, or undefined if they are none. The word is protobuf-es's, which is laxer than protobuf in
 * some things; so `bytes` are walked strictly first: nothing may run past the end of what it is in, no varint may
 * have more than ten bytes, and a known field of a wrong wire type is an unknown one.
 */
export function oracle<D extends DescMessage>(desc: D, bytes: Uint8Array): MessageShape<D> | undefined {
  try {
    const options = { readUnknownFields: false, recursionLimit: MAX_GROUP_DEPTH + 1 };
    return fromBinary(desc, walk(bytes, new Map(desc.fields.map((field) => [field.number, field]))), options);
  } catch {
    return undefined;
  }
}

/** The same without known fields of a wrong wire type. Throws if the bytes are no message. */
function walk(bytes: Uint8Array, fields: ReadonlyMap<number, DescField | ScalarType>): Uint8Array {
  const reader = new BinaryReader(bytes);
  const kept = new BinaryWriter();
  while (reader.pos < reader.len) {
    const start = reader.pos;
    const [number, type] = reader.tag();
    const afterTag = reader.pos;
    pass(reader, number, type, 0);
    const field = fields.get(number);
    if (field === undefined) {
      kept.raw(bytes.subarray(start, reader.pos));
    } else if (typeof field === "object" && field.fieldKind === "map") {
      if (type !== WireType.LengthDelimited) continue;
      const entry = new BinaryReader(bytes.subarray(afterTag, reader.pos)).bytes();
      kept.tag(number, type).bytes(walk(entry, new Map([[1, ScalarType.STRING], [2, scalarOf(field)]])));
    } else if (type === wireTypeOf(typeof field === "object" ? scalarOf(field) : field)) {
      kept.raw(bytes.subarray(start, reader.pos));
    }
  }
  return kept.finish();
}

function wireTypeOf(type: ScalarType): WireType {
  if (type === ScalarType.STRING || type === ScalarType.BYTES) return WireType.LengthDelimited;
  return type === ScalarType.DOUBLE ? WireType.Bit64 : WireType.Varint;
}

function pass(reader: BinaryReader, field: number, type: WireType, depth: number): void {
  let length = 0n;
  if (type === WireType.Varint) reader.uint64();
  else if (type === WireType.Bit64) length = 8n;
  else if (type === WireType.Bit32) length = 4n;
  else if (type === WireType.LengthDelimited) length = BigInt(reader.uint64());
  else if (type === WireType.EndGroup || depth === MAX_GROUP_DEPTH) throw new Error("no such group");
  else {
    for (;;) {
      const [number, inner] = reader.tag();
      if (inner === WireType.EndGroup) {
        if (number !== field) throw new Error("another group ends");
        break;
      }
      pass(reader, number, inner, depth + 1);
    }
  }
  if (length > BigInt(reader.len - reader.pos)) throw new Error("it ends too early");
  reader.pos += Number(length);
}
