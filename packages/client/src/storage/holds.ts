/** Names held by one at a time within this process; whoever waits gets them in order. */
export class Holds {
  readonly #queues = new Map<string, (() => void)[]>();

  hold(
    name: string,
    { wait, signal }: { wait: boolean; signal: AbortSignal },
  ): Promise<(() => void) | undefined> {
    const queue = this.#queues.get(name);
    if (queue === undefined) {
      this.#queues.set(name, []);
      return Promise.resolve(this.#releaseOf(name));
    }
    if (!wait || signal.aborted) return Promise.resolve(undefined);
    return new Promise((resolve) => {
      const mine = (): void => {
        signal.removeEventListener('abort', leave);
        resolve(this.#releaseOf(name));
      };
      const leave = (): void => {
        queue.splice(queue.indexOf(mine), 1);
        resolve(undefined);
      };
      queue.push(mine);
      signal.addEventListener('abort', leave, { once: true });
    });
  }

  #releaseOf(name: string): () => void {
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      const next = this.#queues.get(name)?.shift();
      if (next === undefined) this.#queues.delete(name);
      else next();
    };
  }
}
