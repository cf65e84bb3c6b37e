/**
 * Places in sources of lists that are merged.
 *
 * @module
 */

type Source<T> = AsyncIterator<readonly T[]> | Iterator<readonly T[]>;

export class Cursor<T> {
  #list: readonly T[] = [];
  #at = 0;

  constructor(private readonly source: Source<T>) {}

  /** What comes next. */
  get head(): T {
    return this.#list[this.#at];
  }

  /** Moves on within the list; false if it has ended. */
  next(): boolean {
    return ++this.#at < this.#list.length;
  }

  /** Goes on to the next list; false if there is none. */
  async refill(): Promise<boolean> {
    for (;;) {
      const { done, value } = await this.source.next();
      if (done) return false;
      this.#list = value;
      this.#at = 0;
      if (value.length > 0) return true;
    }
  }
}

/** A cursor for each source that has anything. */
export async function openCursors<T>(sources: readonly Source<T>[]): Promise<Cursor<T>[]> {
  const cursors: Cursor<T>[] = [];
  for (const source of sources) {
    const cursor = new Cursor(source);
    if (await cursor.refill()) cursors.push(cursor);
  }
  return cursors;
}
