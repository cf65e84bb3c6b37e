import { assert, assertEquals } from "@std/assert";
import { Code } from "@connectrpc/connect";
import { ALLOWED_EXTENSIONS } from "../../limits.ts";
import { checkFileName, contentTypeOf } from "../../services/file_name.ts";
import { badFields } from "../support/wire.ts";

const check = (name: string, extensions = ALLOWED_EXTENSIONS) => checkFileName(name, extensions);

Deno.test("checkFileName() takes what any system can store", () => {
  const names = [
    "a.txt",
    "A.TXT",
    "données.csv",
    "漢字.json",
    "a b.xml",
    "..a.txt",
    ".a.txt",
    "a..txt",
    "console.txt",
    "com10.txt",
  ];
  for (const name of [...names, "a".repeat(251) + ".txt", "\u{1f600}.csv", "%2e%2e.txt", "nul l.txt"]) {
    assertEquals(check(name), undefined, name);
  }
});

Deno.test("checkFileName() refuses what is no name, or is one that some system cannot store", () => {
  const names = [
    "",
    ".",
    "..",
    "/a.txt",
    "a/b.txt",
    "a\\b.txt",
    "C:\\a.txt",
    "a\0.txt",
    "a\x1f.txt",
    "a\x7f.txt",
    "a\u009f.txt",
  ];
  const devices = [
    "con.txt",
    "PRN.csv",
    "aux.a.txt",
    "NUL.txt",
    "com1.txt",
    "LPT9.txt",
    "COM¹.txt",
    "con .txt",
    "CONIN$.txt",
  ];
  const endings = ["a.txt.", "a.txt ", "e\u0301.txt", "a".repeat(252) + ".txt", "\ud800.txt", "\u212b.txt"];
  for (const name of [...names, ...devices, ...endings]) {
    const error = check(name);
    assert(error, JSON.stringify(name));
    assertEquals(error.code, Code.InvalidArgument);
    assertEquals(badFields(error), ["file_name"]);
  }
});

Deno.test("checkFileName() knows the extensions that are allowed, in any case", () => {
  assertEquals(check("a.tar.gz", [".tar.gz"]), undefined);
  assertEquals(check("a.TAR.GZ", [".tar.gz"]), undefined);
  for (const name of ["a.gz", "a.txt", ".tar.gz", "atar.gz", "a.tar.gz.exe"]) assert(check(name, [".tar.gz"]), name);
  assert(check("a.txt", []));
});

Deno.test("contentTypeOf() goes by the last extension", () => {
  assertEquals(contentTypeOf("a.csv"), "text/csv");
  assertEquals(contentTypeOf("a.csv.JSON"), "application/json");
  assertEquals(contentTypeOf("a.bin"), "application/octet-stream");
  assertEquals(contentTypeOf("constructor"), "application/octet-stream");
  assertEquals(contentTypeOf("a.constructor"), "application/octet-stream");
});
