import { assert, assertEquals } from "@std/assert";
import { SNIFF_BYTES } from "../../limits.ts";
import { contentFault } from "../../services/file_content.ts";

const bytes = (text: string) => Uint8Array.from(text, (c) => c.charCodeAt(0));

Deno.test("contentFault() has nothing against what begins as its extension says", () => {
  const good: [name: string, head: string][] = [
    ["a.txt", ""],
    ["a.txt", "any text: \xff\xc3\x28"],
    ["a.csv", "\xef\xbb\xbfa,b"],
    ["a.json", " \n\t{}"],
    ["a.json", "\xef\xbb\xbf[1]"],
    ...["-1", '"x"', "true", "null", "false", "0"].map((json): [string, string] => ["a.json", json]),
    ["a.json", "   "],
    ["a.xml", "\n<a/>"],
    ["a.xml", "\xef\xbb\xbf<?xml?>"],
    ["a.txt", "\xff\xfea\0b\0"],
    ["a.csv", "\xfe\xff\0a\0b"],
    ["a.png", "\x89PNG\r\n\x1a\nrest"],
    ["a.PDF", "%PDF-1.7"],
    ["a.dat", "\x7fELF"],
    ["a.constructor", "text"],
  ];
  for (const [name, head] of good) assertEquals(contentFault(name, bytes(head)), undefined, `${name} ${head}`);
});

Deno.test("contentFault() sees programs, archives and pictures under the name of a text", () => {
  const heads = [
    "\x7fELF\x02",
    "MZ\x90\0",
    "PK\x03\x04",
    "\x1f\x8b\x08",
    "%PDF-1.4",
    "GIF89a",
    "\xff\xd8\xff\xe0",
    "BZh9",
    "Rar!\x1a\x07",
  ];
  for (const head of [...heads, "\x28\xb5\x2f\xfd", "text with \0", "a".repeat(SNIFF_BYTES - 1) + "\0"]) {
    for (const extension of ["txt", "csv", "json", "xml", "log", "md", "TXT"]) {
      assert(contentFault(`a.${extension}`, bytes(head)), `${extension} ${head}`);
    }
  }
});

Deno.test("contentFault() sees what does not begin as its format does", () => {
  const bad = [["a.json", "hello"], ["a.json", "<a/>"], ["a.xml", "{}"], ["a.png", "GIF89a"], ["a.gz", "text"], [
    "a.zip",
    "P",
  ]];
  for (const [name, head] of bad) assert(contentFault(name, bytes(head)), `${name} ${head}`);
});
