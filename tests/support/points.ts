/**
 * Data points as a decoder hands them on.
 *
 * @module
 */
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { type DecodedPoints, PointDecoder } from "../../decode/points.ts";
import { ShapeCache } from "../../decode/shape_cache.ts";
import { DataPointSchema } from "../../gen/sluice/v1/data_collection_pb.ts";

/** One batch of these points. */
export function decodedPoints(points: readonly MessageInitShape<typeof DataPointSchema>[]): DecodedPoints {
  const decoder = new PointDecoder(new ShapeCache());
  for (const point of points) {
    const bytes = toBinary(DataPointSchema, create(DataPointSchema, point));
    decoder.add(bytes, 0, bytes.length);
  }
  return decoder.take();
}
