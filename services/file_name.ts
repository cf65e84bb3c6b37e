/**
 * Which file names are accepted. A stored name is never used as a path here, but whoever downloads the file may save it
 * under that name, on any system.
 *
 * @module
 */
import type { ConnectError } from "@connectrpc/connect";
import { invalidArgument } from "../errors.ts";
import { MAX_FILE_NAME_BYTES } from "../limits.ts";
import { utf8Length } from "./text.ts";

/** Device names of Windows, which are devices with any extension too. */
const RESERVED = /^(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$)$/i;
// deno-lint-ignore no-control-regex -- it is these that are looked for
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/;

/** Returns what is wrong with a name, if anything. */
export function checkFileName(name: string, allowedExtensions: readonly string[]): ConnectError | undefined {
  const fault = fileNameFault(name, allowedExtensions);
  return fault === undefined ? undefined : invalidArgument("file_name", fault);
}

function fileNameFault(name: string, allowedExtensions: readonly string[]): string | undefined {
  if (name === "") return "must not be empty";
  if (!name.isWellFormed()) return "must be valid Unicode";
  const bytes = utf8Length(name);
  if (bytes > MAX_FILE_NAME_BYTES) return `must have at most ${MAX_FILE_NAME_BYTES} bytes: it has ${bytes}`;
  if (CONTROL.test(name)) return "must not contain control characters";
  if (/[/\\]/.test(name)) return "must be a name, not a path: it contains a separator";
  if (name === "." || name === "..") return `must not be ${JSON.stringify(name)}`;
  if (RESERVED.test(name.split(".")[0].trimEnd())) return "must not be the name of a device";
  if (/[. ]$/.test(name)) return "must not end with a dot or a space";
  if (name.normalize("NFC") !== name) return "must be in Unicode normalization form C";
  const lower = name.toLowerCase();
  if (!allowedExtensions.some((extension) => lower.endsWith(extension) && lower.length > extension.length)) {
    return `must have one of the extensions ${allowedExtensions.join(" ")}`;
  }
}

const CONTENT_TYPES: ReadonlyMap<string, string> = new Map(Object.entries({
  csv: "text/csv",
  gif: "image/gif",
  gz: "application/gzip",
  htm: "text/html",
  html: "text/html",
  jpeg: "image/jpeg",
  jpg: "image/jpeg",
  json: "application/json",
  log: "text/plain",
  md: "text/markdown",
  pdf: "application/pdf",
  png: "image/png",
  txt: "text/plain",
  xml: "application/xml",
  zip: "application/zip",
}));

/** The last extension of a name, in lower case and without its dot. */
export function extensionOf(name: string): string {
  return name.slice(name.lastIndexOf(".") + 1).toLowerCase();
}

/** The media type that an extension stands for. */
export function contentTypeOf(name: string): string {
  const extension = extensionOf(name);
  return CONTENT_TYPES.get(extension) ?? "application/octet-stream";
}
