/** What a client keeps over reloads and restarts, apart from each other. */
export type Shelf = 'outbox' | 'cache' | 'aside';
export const SHELVES: readonly Shelf[] = ['outbox', 'cache', 'aside'];

export type Change = {
  put?: readonly (readonly [key: string, value: Uint8Array])[];
  remove?: readonly string[];
};

/**
 * Where a client keeps what must survive it: IndexedDB in a browser, a folder in Node, memory in
 * tests. Several clients, tabs or processes, may use one storage at once; what only one of them
 * may do it does while it holds a name. Rejections mean that nothing can be kept at the moment.
 */
export type Storage = {
  keys(shelf: Shelf, prefix: string): Promise<string[]>;
  /** In the order of keys. */
  read(shelf: Shelf, prefix: string): Promise<[key: string, value: Uint8Array][]>;
  /** Resolves when it survives the end of this process; what is put is there before anything is removed. */
  write(shelf: Shelf, change: Change): Promise<void>;
  /**
   * Holds a name until the returned function is called or this tab or process is gone. `undefined`
   * when somebody else holds it, or, with `wait`, when the signal fires first.
   */
  hold(name: string, options: { wait: boolean; signal: AbortSignal }): Promise<(() => void) | undefined>;
  close(): Promise<void>;
};
