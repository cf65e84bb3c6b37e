/**
 * The shapes of a batch, each once.
 *
 * @module
 */

/** Bytes of memory that a shape takes beside its texts, about. */
export const SHAPE_BYTES = 200;

/** Where a shape stands in the batch of a decoder that has seen it. */
export interface Placed {
  batch: number;
  place: number;
}

/** Numbers batches, over all decoders, so that a held shape knows whether its place is one of this batch. */
let batches = 0;

export class BatchShapes<S extends Placed> {
  #batch = ++batches;
  #shapes: S[] = [];

  /** The place of a shape in this batch. */
  place(shape: S): number {
    if (shape.batch !== this.#batch) {
      shape.batch = this.#batch;
      shape.place = this.#shapes.push(shape) - 1;
    }
    return shape.place;
  }

  /** The shapes by their places; a new batch begins. */
  take(): readonly S[] {
    const taken = this.#shapes;
    this.#batch = ++batches;
    this.#shapes = [];
    return taken;
  }
}
