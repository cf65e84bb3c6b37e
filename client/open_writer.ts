/**
 * Opens a writer of whichever sort is asked for.
 *
 * @module
 */
import type { BufferedWriterOptions } from "./buffer_options.ts";
import { BufferedWriter } from "./buffered_writer.ts";
import type { Core } from "./core.ts";
import type { Kind } from "./kinds.ts";
import { createItemWriter, type ItemWriter, type WriterOptions } from "./long_writer.ts";
import type { FieldWriter } from "./writer.ts";

export function openWriter<T, R>(
  core: Core,
  kind: Kind<R>,
  write: (writer: FieldWriter, item: T, index: number) => void,
  options: WriterOptions | BufferedWriterOptions = {},
): ItemWriter<T, R> {
  if ("buffer" in options && options.buffer !== undefined) return new BufferedWriter(core, kind, write, options);
  return createItemWriter(core, kind, write, options);
}
