import type { Ack, Command, ErrorCode, Token } from '@causeway/protocol';
import { createWriteStream, type WriteStream } from 'node:fs';

/** A command that a client sent, and what became of it. Times are milliseconds since 1970. */
export type Operation = {
  id: string;
  command: Command;
  /** Asked for. */
  level: Ack['level'];
  /** Where the client lives; the answer may come from another region. */
  home: string;
  startedAt: number;
  endedAt: number;
  attempts: number;
  /** A late repeat of a command that was acknowledged before. */
  repeat: boolean;
  outcome:
    | { acknowledged: true; region: string; level: Ack['level']; token: Token }
    /** Refused for good, or given up: it may have taken effect all the same. */
    | { acknowledged: false; code: ErrorCode };
};

/** A word written into a canvas. */
export type Word = {
  word: string;
  document: string;
  /** When somebody at another region than the writer's first saw it: it is committed. */
  seenAt: number;
};

/** Everything that the clients did, kept in memory for the checker and in a file for people. */
export class Journal {
  readonly operations: Operation[] = [];
  /** By word; those that nobody has seen elsewhere are not here. */
  readonly words = new Map<string, Word>();
  readonly written = new Map<string, string>();
  readonly removed = new Set<string>();
  readonly errors = new Map<string, number>();
  started = 0;
  readonly #file: WriteStream;

  constructor(path: string) {
    this.#file = createWriteStream(path);
  }

  operation(operation: Operation): void {
    this.operations.push(operation);
    this.#line({ operation });
  }

  wrote(word: string, document: string): void {
    this.written.set(word, document);
    this.#line({ wrote: word, document });
  }

  saw(word: string, document: string, seenAt: number): void {
    if (this.words.has(word)) return;
    this.words.set(word, { word, document, seenAt });
    this.#line({ saw: word, document, seenAt });
  }

  removes(word: string): void {
    this.removed.add(word);
    this.#line({ removes: word });
  }

  /** An answer that was not an acknowledgement, or none. */
  failed(code: string): void {
    this.errors.set(code, (this.errors.get(code) ?? 0) + 1);
  }

  note(line: object): void {
    this.#line(line);
  }

  close(): Promise<void> {
    return new Promise((resolve) => this.#file.end(() => resolve()));
  }

  #line(line: object): void {
    this.#file.write(`${JSON.stringify(line)}\n`);
  }
}
