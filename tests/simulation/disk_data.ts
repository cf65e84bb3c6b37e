/**
 * What a simulated disk holds: of each file and each directory what programs see, and what a power cut leaves for sure.
 * Whatever was not synced survives one in any subset: of the writes to a file each sector, of the names in a directory each.
 *
 * @module
 */
import type { Random } from "./random.ts";

/** What a disk writes as a whole. */
const SECTOR_BYTES = 512;

type Node = FileData | Directory;

export class FileData {
  #bytes = new Uint8Array(0);
  #length = 0;
  #durable = new Uint8Array(0);
  /** Written since the last sync. */
  #dirty: { start: number; end: number }[] = [];
  changedAt = 0;

  get length(): number {
    return this.#length;
  }

  write(position: number, data: Uint8Array): void {
    const end = position + data.length;
    if (end > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(end, this.#bytes.length * 2));
      larger.set(this.#bytes.subarray(0, this.#length));
      this.#bytes = larger;
    }
    this.#bytes.set(data, position);
    this.#length = Math.max(this.#length, end);
    this.#dirty.push({ start: position, end });
  }

  read(buffer: Uint8Array, position: number): number {
    const bytes = this.#bytes.subarray(
      Math.min(position, this.#length),
      Math.min(position + buffer.length, this.#length),
    );
    buffer.set(bytes);
    return bytes.length;
  }

  sync(): void {
    for (const { start, end } of this.#dirty) this.#keep(start, end);
    this.#dirty = [];
  }

  /** A sync that failed as it may on Linux: what was to be written counts as written from then on, and was not. */
  forgetDirty(): void {
    this.#dirty = [];
  }

  powerCut(random: Random): void {
    for (const { start, end } of this.#dirty) {
      const share = random.pick([0, 0.5, 1]);
      for (let at = start; at < end;) {
        const next = Math.min((Math.floor(at / SECTOR_BYTES) + 1) * SECTOR_BYTES, end);
        if (random.chance(share)) this.#keep(at, next);
        at = next;
      }
    }
    this.#dirty = [];
    this.#bytes = this.#durable.slice();
    this.#length = this.#bytes.length;
  }

  #keep(start: number, end: number): void {
    if (end > this.#durable.length) {
      const larger = new Uint8Array(end);
      larger.set(this.#durable);
      this.#durable = larger;
    }
    this.#durable.set(this.#bytes.subarray(start, end), start);
  }
}

export class Directory {
  readonly #entries = new Map<string, Node>();
  /** Of names that changed since the last sync, what they have named: first what is durable, last what programs see. */
  readonly #history = new Map<string, (Node | undefined)[]>();

  get(name: string): Node | undefined {
    return this.#entries.get(name);
  }

  entries(): [string, Node][] {
    return [...this.#entries];
  }

  /** @param node undefined removes the name. */
  set(name: string, node: Node | undefined): void {
    const history = this.#history.get(name) ?? [this.#entries.get(name)];
    history.push(node);
    this.#history.set(name, history);
    this.#put(name, node);
  }

  sync(): void {
    this.#history.clear();
  }

  powerCut(random: Random): void {
    for (const [name, history] of this.#history) this.#put(name, random.pick(history));
    this.#history.clear();
    for (const node of this.#entries.values()) node.powerCut(random);
  }

  #put(name: string, node: Node | undefined): void {
    if (node) this.#entries.set(name, node);
    else this.#entries.delete(name);
  }
}
