import { compareText } from '@causeway/protocol';
import type { ApplyBatch, Parked } from '@causeway/replica';
import { PARKED } from './parked-bounds.ts';

/** Messages kept as received, in one zone. */
export class MemoryParked {
  /** By name and bytes, so each once however often it comes; oldest first. */
  readonly #kept = new Map<string, Parked>();
  #bytes = 0;

  /** Bounded: see PARKED. False when there is no room. */
  add(peer: string, messages: ApplyBatch['parked'], nextId: () => number): boolean {
    if (this.#kept.size >= PARKED.rows || this.#bytes >= PARKED.bytes) return messages.length === 0;
    for (const message of messages) {
      const key = `${message.name}\n${Buffer.from(message.bytes).toString('base64')}`;
      if (this.#kept.has(key)) continue;
      this.#kept.set(key, { ...message, id: nextId(), peer, bytes: message.bytes.slice() });
      this.#bytes += message.bytes.length;
    }
    return true;
  }

  remove(ids: ReadonlySet<number>): void {
    if (ids.size === 0) return;
    for (const [key, { id, bytes }] of this.#kept)
      if (ids.has(id)) {
        this.#kept.delete(key);
        this.#bytes -= bytes.length;
      }
  }

  names(): string[] {
    const readable = [...this.#kept.values()].filter(({ version }) => version > 0);
    return [...new Set(readable.map(({ name }) => name))].sort(compareText);
  }

  readable(version: number, limit: number): Parked[] {
    const kept = [...this.#kept.values()];
    const newer = new Set(kept.filter((message) => message.version > version).map(({ name }) => name));
    return kept
      .filter((message) => message.version > 0 && !newer.has(message.name))
      .slice(0, limit)
      .map((message) => ({ ...message, bytes: message.bytes.slice() }));
  }
}
