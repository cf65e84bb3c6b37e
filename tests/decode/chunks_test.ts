import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { ConnectError } from "@connectrpc/connect";
import { ChunkDecoder, type DecodedChunk } from "../../decode/chunks.ts";
import { FileChunkSchema } from "../../gen/sluice/v1/file_upload_pb.ts";
import { differNear } from "./differential.ts";
import { CHUNKS, DIFFER } from "./subjects.ts";

function encode(chunk: MessageInitShape<typeof FileChunkSchema>): Uint8Array {
  return toBinary(FileChunkSchema, create(FileChunkSchema, chunk));
}

function decode(...messages: Uint8Array[]): readonly DecodedChunk[] {
  const decoder = new ChunkDecoder();
  for (const message of messages) decoder.add(message, 0, message.length);
  return decoder.take();
}

const EMPTY: DecodedChunk = {
  fileName: "",
  data: new Uint8Array(0),
  offset: 0n,
  totalSize: 0n,
  isLastChunk: false,
  checksum: "",
  fileChecksum: "",
  contentType: "",
};

Deno.test("ChunkDecoder says what protobuf-es says of 20,000 random, odd and broken messages", () => {
  const accepted = DIFFER.FileChunk(20_000, 1);
  assert(accepted > 10_000 && accepted < 18_000, `${accepted} were valid`);
});

Deno.test("ChunkDecoder says what protobuf-es says of all that is nearly a message", () => {
  const whole = encode({
    fileName: "a.ü",
    data: Uint8Array.of(1, 2),
    offset: -1n,
    totalSize: 300n,
    isLastChunk: true,
    checksum: "c",
    fileChecksum: "f",
    contentType: "t",
  });
  assert(differNear(CHUNKS, whole) > 500);
});

Deno.test("ChunkDecoder gives a view of the data, not a copy", () => {
  const buffer = new Uint8Array(300_000);
  const message = encode({ fileName: "a.txt", data: new Uint8Array(200_000).fill(7), checksum: "c" });
  buffer.set(message, 1_000);
  const bytes = buffer.subarray(500);
  const decoder = new ChunkDecoder();
  decoder.add(bytes, 500, 500 + message.length);
  const [{ data }] = decoder.take();
  assertStrictEquals(data.buffer, buffer.buffer);
  assertEquals(data.length, 200_000);
  buffer[data.byteOffset] = 8;
  assertEquals([data[0], data[1]], [8, 7]);
});

Deno.test("ChunkDecoder reads an empty message, and what is left out", () => {
  assertEquals(decode(new Uint8Array(0), encode({ isLastChunk: true })), [EMPTY, { ...EMPTY, isLastChunk: true }]);
});

Deno.test("ChunkDecoder takes the last of what comes twice, and any varint but 0 for true", () => {
  const twice = Uint8Array.of(...encode({ fileName: "a", data: Uint8Array.of(1), offset: 5n, isLastChunk: true }));
  const again = Uint8Array.of(...twice, ...encode({ fileName: "b", offset: 6n }), 0x12, 0, 0x28, 0);
  assertEquals(decode(again), [{ ...EMPTY, fileName: "b", offset: 6n }]);
  // 2^63, which has no bit in common with a small number.
  const large = Uint8Array.of(0x28, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01);
  assertEquals(decode(large), [{ ...EMPTY, isLastChunk: true }]);
});

Deno.test("ChunkDecoder reads offsets and sizes exactly, as int64", () => {
  for (const n of [2n ** 53n + 1n, 2n ** 63n - 1n, -1n, -(2n ** 63n)]) {
    assertEquals(decode(encode({ offset: n, totalSize: n })), [{ ...EMPTY, offset: n, totalSize: n }]);
  }
});

Deno.test("ChunkDecoder adds nothing of a message that it refuses, and goes on", () => {
  const decoder = new ChunkDecoder();
  const message = encode({ fileName: "a.txt", data: new Uint8Array(10), checksum: "é" });
  decoder.add(message, 0, message.length);
  const { size } = decoder;
  const bad = Uint8Array.from(message);
  bad[bad.length - 1] = 0x20;
  const claim = Uint8Array.of(...message, 0x12, 0xff, 0xff, 0xff, 0xff, 0x0f, 1, 2, 3);
  for (const broken of [bad, message.subarray(0, -1), claim]) {
    assertThrows(() => decoder.add(broken, 0, broken.length), ConnectError, "malformed message");
    assertEquals([decoder.count, decoder.size], [1, size]);
  }
  decoder.add(message, 0, message.length);
  const taken = decoder.take();
  assertEquals(taken[0], taken[1]);
  assertEquals([decoder.count, decoder.size], [0, 0]);
});

Deno.test("ChunkDecoder.size grows with what chunks hold", () => {
  const decoder = new ChunkDecoder();
  for (const bytes of [0, 1, 100_000]) {
    const before = decoder.size;
    const message = encode({ data: new Uint8Array(bytes) });
    decoder.add(message, 0, message.length);
    assert(decoder.size - before > bytes);
  }
});
