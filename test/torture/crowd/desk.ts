import { WebsocketProvider } from 'y-websocket';
import * as Y from 'yjs';
import { connectDocument } from '../../regions/documents.ts';
import type { SeededRandom } from '../../sim/seeded-random.ts';
import type { Address, AddressBook } from './address-book.ts';

export type DeskEvents = {
  wrote(word: string): void;
  removes(word: string): void;
  /** A word that somebody else wrote has come here. */
  saw(word: string, region: string): void;
};

/**
 * Somebody at a canvas with the stock provider, who writes words into a list, and letters into a text,
 * moves to another region now and then, and sometimes leaves for good without looking back.
 */
export class Desk {
  readonly #book: AddressBook;
  readonly #random: SeededRandom;
  readonly #events: DeskEvents;
  readonly #document: string;
  readonly #token: string;
  #doc!: Y.Doc;
  #provider!: WebsocketProvider;
  #address: Address;

  constructor(
    { document, token, region }: { document: string; token: string; region: string },
    parts: { book: AddressBook; random: SeededRandom; events: DeskEvents },
  ) {
    this.#document = document;
    this.#token = token;
    this.#book = parts.book;
    this.#random = parts.random;
    this.#events = parts.events;
    this.#address = this.#book.in(region);
    this.#sitDown();
  }

  get region(): string {
    return this.#address.region;
  }

  /** Writes a word, or removes one, also without a connection. */
  write(word: string): void {
    const words = this.#doc.getArray<string>('words');
    const text = this.#doc.getText('text');
    if (words.length > 5 && this.#random.chance(10)) {
      const at = this.#random.below(words.length);
      this.#events.removes(words.get(at));
      words.delete(at);
      if (text.length > 400) text.delete(this.#random.below(200), 100);
      return;
    }
    this.#events.wrote(word);
    this.#doc.transact(() => {
      words.insert(this.#random.below(words.length + 1), [word]);
      text.insert(this.#random.below(text.length + 1), word.slice(0, 4));
    });
  }

  /** Goes on at another process, with everything that was written. */
  move(): void {
    this.#provider.destroy();
    this.#address = this.#book.any();
    this.#connect();
  }

  /** Closes the tab: what no region has got by now is nobody's any more. A fresh one opens. */
  renew(): void {
    this.leave();
    this.#address = this.#book.any();
    this.#sitDown();
  }

  leave(): void {
    this.#provider.destroy();
    this.#doc.destroy();
  }

  #sitDown(): void {
    this.#doc = new Y.Doc();
    const words = this.#doc.getArray<string>('words');
    words.observe(({ changes, transaction }) => {
      if (transaction.local) return;
      for (const { insert } of changes.delta)
        if (Array.isArray(insert))
          for (const word of insert as string[]) this.#events.saw(word, this.#address.region);
    });
    this.#connect();
  }

  #connect(): void {
    this.#provider = connectDocument(this.#doc, this.#address.url, this.#document, this.#token);
  }
}
