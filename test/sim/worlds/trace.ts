/** A rule that does not hold: the world ends here. */
export class Broken extends Error {
  override name = 'Broken';
  /** Events that had happened in the world until then. */
  readonly step: number;

  constructor(step: number, reason: string) {
    super(reason);
    this.step = step;
  }
}

/**
 * What happened in a world, in order. Two runs of one seed have the same number of events and the
 * same hash; with `print` every event is shown.
 */
export class Trace {
  readonly counts = new Map<string, number>();
  readonly #print: ((line: string) => void) | undefined;
  readonly #now: () => number;
  #steps = 0;
  #hash = 0x811c9dc5;
  #broken: Broken | undefined;

  constructor(now: () => number, print?: (line: string) => void) {
    this.#now = now;
    this.#print = print;
  }

  get steps(): number {
    return this.#steps;
  }

  get hash(): string {
    return (this.#hash >>> 0).toString(16).padStart(8, '0');
  }

  /** The first rule that did not hold. */
  get broken(): Broken | undefined {
    return this.#broken;
  }

  event(what: string): void {
    this.#steps++;
    const now = this.#now();
    let hash = this.#hash ^ (now % 0x7fffffff);
    for (let at = 0; at < what.length; at++) hash = Math.imul(hash ^ what.charCodeAt(at), 0x01000193);
    this.#hash = hash;
    this.#print?.(`${this.#steps} ${now % 10_000_000} ${what}`);
  }

  /** `operation/post`, `fault/cut`, `ack/region`: for the summary. */
  count(what: string, by = 1): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + by);
  }

  fault(kind: string, detail: string): void {
    this.count(`fault/${kind}`);
    this.event(`fault ${kind} ${detail}`);
  }

  /** Records that a rule does not hold; the first one is what the world fails with. */
  breach(reason: string): void {
    this.event(`BROKEN ${reason}`);
    this.#broken ??= new Broken(this.#steps, reason);
  }

  /** Throws the first breach, if there was one. */
  check(): void {
    if (this.#broken !== undefined) throw this.#broken;
  }
}
