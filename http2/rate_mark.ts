/** Bytes moved since a moment: to tell a slow peer from a busy one. */
export class RateMark {
  bytes = 0;
  #since = -1;

  /** Whether fewer than `least` bytes have moved in a whole period. `pending`: it is for the peer to move them. */
  tooSlow(pending: boolean, now: number, periodMs: number, least: number): boolean {
    if (!pending || this.#since < 0) {
      this.#since = pending ? now : -1;
      this.bytes = 0;
      return false;
    }
    if (now - this.#since < periodMs) return false;
    const slow = this.bytes < least;
    this.#since = now;
    this.bytes = 0;
    return slow;
  }
}
