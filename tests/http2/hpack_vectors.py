"""Makes hpack_vectors.json with another implementation, Python's hpack (pip install hpack), in both directions:

    python3 hpack_vectors.py make | deno run tests/http2/hpack_encode.ts | python3 hpack_vectors.py verify > hpack_vectors.json

`make` encodes connections of header blocks; hpack_encode.ts adds what our encoder makes of the same fields; `verify`
decodes that.
"""

import json
import random
import sys

from hpack import Decoder, Encoder

NAMES = [":status", "content-type", "grpc-status", "grpc-message", "x-custom", "date", "server", "etag", "set-cookie"]
NAMES += ["authorization", "vary", "link", "trace-id"]
VALUES = ["200", "404", "application/grpc", "0", "", "gzip, deflate"]
REQUEST = [
    (":method", "POST"),
    (":scheme", "http"),
    (":path", "/sluice.v1.FileUploadService/UploadFile"),
    (":authority", "localhost:8080"),
    ("content-type", "application/grpc"),
    ("user-agent", "grpc-go/1.71.0"),
    ("te", "trailers"),
    ("grpc-timeout", "9999m"),
]


def text(length):
    classes = [(32, 126), (97, 122), (97, 122), (128, 255)]
    return "".join(chr(random.randint(*random.choice(classes))) for _ in range(random.randint(0, length)))


def make():
    random.seed(7541)
    connections = []
    for number in range(8):
        encoder, blocks = Encoder(), []
        for index in range(12):
            fields = REQUEST
            if number > 0 or index > 2:
                choices = VALUES + ["a" * random.randint(0, 300), text(40)]
                fields = [(random.choice(NAMES), random.choice(choices)) for _ in range(random.randint(1, 8))]
            block = {"fields": [list(field) for field in fields]}
            if number >= 4 and index in (3, 7):
                block["tableSize"] = encoder.header_table_size = random.choice([0, 64, 256, 1024, 4096])
            raw = [(name.encode(), value.encode("latin1")) for name, value in fields]
            block["theirs"] = encoder.encode(raw, huffman=number % 2 == 0).hex()
            blocks.append(block)
        connections.append(blocks)
    return connections


def verify(connections):
    for blocks in connections:
        decoder = Decoder()
        for block in blocks:
            fields = decoder.decode(bytes.fromhex(block["ours"]), raw=True)
            assert [[n.decode("latin1"), v.decode("latin1")] for n, v in fields] == block["fields"], block
    return connections


result = make() if sys.argv[1] == "make" else verify(json.load(sys.stdin))
json.dump(result, sys.stdout, separators=(",", ":"))
