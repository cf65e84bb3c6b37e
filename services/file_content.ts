/**
 * Whether the first bytes of a file contradict its extension. Not a proof that a file is what its name says: a guard
 * against a program or an archive under the name of a text.
 *
 * @module
 */
import { extensionOf } from "./file_name.ts";

/** Beginnings of formats (signatures as in their specifications), by extension. */
const SIGNATURES: ReadonlyMap<string, readonly (readonly number[])[]> = new Map(Object.entries({
  gif: [ascii("GIF87a"), ascii("GIF89a")],
  gz: [[0x1f, 0x8b]],
  jpeg: [[0xff, 0xd8, 0xff]],
  jpg: [[0xff, 0xd8, 0xff]],
  pdf: [ascii("%PDF-")],
  png: [[0x89, ...ascii("PNG\r\n\x1a\n")]],
  zip: [ascii("PK\x03\x04"), ascii("PK\x05\x06")],
}));

/** Beginnings that no text has. */
const BINARY: readonly (readonly number[])[] = [
  ...[...SIGNATURES.values()].flat(),
  [0x7f, ...ascii("ELF")],
  ascii("MZ\x90"),
  [0x28, 0xb5, 0x2f, 0xfd], // zstd
  [0xfd, ...ascii("7zXZ")],
  ascii("BZh"),
  ascii("Rar!\x1a\x07"),
  ascii("7z\xbc\xaf\x27\x1c"),
];

const TEXT = new Set(["csv", "json", "log", "md", "txt", "xml"]);

/** What contradicts the extension in the first bytes of a file, or undefined. `head` is all there is, or SNIFF_BYTES. */
export function contentFault(name: string, head: Uint8Array): string | undefined {
  if (head.length === 0) return undefined;
  const extension = extensionOf(name);
  const signatures = SIGNATURES.get(extension);
  if (signatures) {
    return signatures.some((s) => startsWith(head, s)) ? undefined : `does not begin as a .${extension} file does`;
  }
  if (!TEXT.has(extension)) return undefined;
  if (isUtf16(head)) return undefined;
  if (BINARY.some((s) => startsWith(head, s))) return `is a binary format, not a .${extension} file`;
  if (head.includes(0)) return `contains NUL bytes, which a .${extension} file does not`;
  const first = firstCharacter(head);
  if (first === undefined) return undefined;
  if (extension === "json" && !/[[{"\-0-9tfn]/.test(first)) return "does not begin as JSON does";
  if (extension === "xml" && first !== "<") return "does not begin as XML does";
}

/** The first character that is neither a byte order mark nor white space. */
function firstCharacter(head: Uint8Array): string | undefined {
  let i = startsWith(head, [0xef, 0xbb, 0xbf]) ? 3 : 0;
  while (i < head.length && (head[i] === 0x20 || (head[i] >= 0x09 && head[i] <= 0x0d))) i++;
  return i < head.length ? String.fromCharCode(head[i]) : undefined;
}

/** UTF-16 with its byte order mark: the one sort of text that has NULs. */
function isUtf16(head: Uint8Array): boolean {
  return startsWith(head, [0xff, 0xfe]) || startsWith(head, [0xfe, 0xff]);
}

function startsWith(bytes: Uint8Array, beginning: readonly number[]): boolean {
  return bytes.length >= beginning.length && beginning.every((byte, i) => bytes[i] === byte);
}

function ascii(text: string): number[] {
  return Array.from(text, (c) => c.charCodeAt(0));
}
