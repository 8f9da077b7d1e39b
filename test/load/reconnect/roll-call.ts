/** Who has lost the connection and come back since the call began; to begin with, who has come at all. */
export class RollCall {
  /** By number, when each came back last, as `now` says. */
  readonly at: number[] = [];
  readonly #now: () => number;
  readonly #away = new Set<number>();
  readonly #hasLeft = new Set<number>();

  constructor(now: () => number) {
    this.#now = now;
  }

  /** Sessions that are not here (again). */
  get missing(): number {
    return this.#away.size;
  }

  /** One more session is expected; its number. */
  add(): number {
    const number = this.at.length;
    this.at.push(Number.NaN);
    this.#away.add(number);
    this.#hasLeft.add(number);
    return number;
  }

  /** All of them are expected to leave and to come back. */
  begin(): void {
    this.#hasLeft.clear();
    for (const number of this.at.keys()) this.#away.add(number);
  }

  left(number: number): void {
    this.#away.add(number);
    this.#hasLeft.add(number);
  }

  /** True for the last one who was missing. */
  back(number: number): boolean {
    if (!this.#hasLeft.has(number) || !this.#away.delete(number)) return false;
    this.at[number] = this.#now();
    return this.#away.size === 0;
  }
}
