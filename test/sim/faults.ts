import type { StoreOperation } from '@causeway/store';

type When = 'before' | 'after';
/** Decides what happens to one operation: nothing, a wait, or an error to throw. */
export type Fault = (operation: StoreOperation, when: When) => Promise<void> | undefined;

/** A place where operations wait until they are let through. */
export type Gate = {
  /** Resolves when somebody waits here. */
  reached: Promise<void>;
  /** Lets everybody through, or makes them fail. */
  open(error?: Error): void;
};

/** The faults of one region's database. Without any, everything works. */
export class Faults {
  readonly #faults = new Set<Fault>();

  /** What a MemoryStore takes as `fail`. */
  readonly fail = async (operation: StoreOperation, when: When): Promise<void> => {
    for (const fault of this.#faults) await fault(operation, when);
  };

  /** Every operation goes through `fault` until the returned function is called. */
  inject(fault: Fault): () => void {
    this.#faults.add(fault);
    return () => void this.#faults.delete(fault);
  }

  clear(): void {
    this.#faults.clear();
  }

  /** The next operation of that name fails: before it did anything, or after it did everything. */
  failNext(operation: StoreOperation, when: When, error: Error): void {
    const stop = this.inject((current, now) => {
      if (current !== operation || now !== when) return undefined;
      stop();
      return Promise.reject(error);
    });
  }

  /** The next operation of that name stops at the gate, and so do later ones while it is closed. */
  gate(operation: StoreOperation, when: When = 'before'): Gate {
    const { promise: reached, resolve: arrive } = Promise.withResolvers<void>();
    const { promise: opened, resolve, reject } = Promise.withResolvers<void>();
    opened.catch(() => undefined);
    const stop = this.inject((current, now) => {
      if (current !== operation || now !== when) return undefined;
      arrive();
      return opened;
    });
    return {
      reached,
      open: (error) => {
        stop();
        if (error === undefined) resolve();
        else reject(error);
      },
    };
  }
}
