import { assertEquals, assertLess } from "@std/assert";
import { KIB } from "../../../limits.ts";
import { toLogColumns } from "../../../store/format/log_columns.ts";
import { decodeLogSegment } from "../../../store/format/log_reader.ts";
import { encodeLogSegment } from "../../../store/format/log_segment.ts";
import type { LogRecord } from "../../../store/log_types.ts";
import { bytesHeld } from "../../support/memory.ts";
import { ORIGIN, randomRecords } from "./logs.ts";
import { property } from "./random.ts";

Deno.test("LogRow.copy() is what the row is", () => {
  property(100, (random) => {
    for (const row of decodeLogSegment(encodeLogSegment(toLogColumns(randomRecords(random, 5)), ORIGIN))) {
      const { id, application, level, timestamp, message, fields } = row;
      assertEquals(row.copy(), { id, application, level, timestamp, message, fields });
    }
  });
});

Deno.test("LogRow.copy() keeps nothing of its segment in memory", async () => {
  for (const padding of ["padding ", "полный "]) {
    const records = Array.from({ length: 1000 }, (_, i): LogRecord => ({
      application: "an application",
      level: 2,
      timestamp: i,
      message: `a message of its own: ${i}`,
      fields: [["padding", padding.repeat(50)], ["a field's name", `a field's value: ${i}`]],
    }));
    const segment = encodeLogSegment(toLogColumns(records), ORIGIN);
    const copies = 20;
    const bytes = await bytesHeld(() =>
      Array.from({ length: copies }, () => {
        const row = decodeLogSegment(segment)[7];
        row.someFoldedValue(() => false);
        return row.copy();
      })
    );
    // A segment has more than four times as much.
    assertLess(bytes / copies, 100 * KIB);
  }
});
