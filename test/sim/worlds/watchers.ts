import { channelScope, memberScope, parseName, segmentName, type Message } from '@causeway/protocol';
import { Segment, unionOf } from '@causeway/replica';
import type { MemoryStore } from '@causeway/store';
import * as Y from 'yjs';
import type { Durable } from './checks.ts';
import { CANVASES, CHANNELS, MEMBERS, WORKSPACE } from './workspace.ts';
import type { Ledger } from './ledger.ts';
import type { Process } from './process.ts';
import { stretchesOf } from './witness.ts';
import type { World } from './world.ts';

/** Somebody who has a document open at a process and hears its updates. */
type Watch = { process: Process; name: string; doc: Y.Doc; isOver: boolean };

const WATCHES = 8;

/** Those who read while the world runs. What they are shown must be durable, and must never go back. */
export class Watchers {
  readonly #world: World;
  readonly #ledger: Ledger;
  readonly #watches: Watch[] = [];
  /** By region and disk: read markers as seen last. */
  readonly #markers = new Map<string, string>();
  /** By region, disk and message: `v` of the text as shown last. */
  readonly #texts = new Map<string, number>();

  constructor(world: World, ledger: Ledger) {
    this.#world = world;
    this.#ledger = ledger;
  }

  /** Opens a document at some process and follows it from then on. */
  async watch(): Promise<void> {
    const { random, trace } = this.#world;
    const process = this.#world.anyProcess();
    if (process === undefined || this.#watches.filter(({ isOver }) => !isOver).length >= WATCHES) return;
    const { database } = this.#world.region(process.region);
    const names = [...database.witness.documents(), ...CANVASES];
    const watch: Watch = { process, name: random.pick(names), doc: new Y.Doc(), isOver: false };
    trace.count('operation/watch');
    const hear = (bytes: Uint8Array): void => {
      this.#mustBeDurable(watch, bytes);
      Y.applyUpdate(watch.doc, bytes);
    };
    const over = (): void => {
      watch.isOver = true;
    };
    process.life.death.addEventListener('abort', over);
    try {
      const read = async (): Promise<Uint8Array> => {
        const reader = await process.replica.join(watch.name, { update: hear, dropped: over });
        return (await reader.read()).difference;
      };
      const state = await this.#world.patient(process.life.through(read()));
      if (state === undefined) return over();
      hear(state);
      this.#watches.push(watch);
    } catch {
      over(); // Its client is told to connect again.
    }
  }

  /** Hears all changes of cells at a process. */
  listen(process: Process): void {
    const { database } = this.#world.region(process.region);
    for (const scope of [
      ...CHANNELS.map((channel) => channelScope(WORKSPACE, channel)),
      ...MEMBERS.map((member) => memberScope(WORKSPACE, member)),
    ])
      process.replica.subscribeCells(scope, (scope, cells) => {
        for (const { key, v } of cells)
          if (!database.witness.holds({ scope, key, v }))
            this.#world.trace.breach(
              `R2 ${process.region} told of ${key} ${v} in ${scope}, which is not durable`,
            );
      });
  }

  /** Reads a channel and the markers of a member at some process. */
  async look(): Promise<void> {
    const process = this.#world.anyProcess();
    if (process === undefined) return;
    this.#world.trace.count('operation/look');
    const { random } = this.#world;
    await Promise.all([this.#lookAtChannel(process, random.pick(CHANNELS)), this.#lookAtMarkers(process)]);
  }

  /** Reads all channels at every process. */
  async lookEverywhere(): Promise<void> {
    for (const process of this.#world.processes()) {
      for (const channel of CHANNELS) await this.#lookAtChannel(process, channel);
      for (const name of this.#world.region(process.region).database.witness.documents())
        await this.#lookAtSegment(process, name);
    }
  }

  /** Those that are still open must have heard everything. */
  compare(states: readonly Durable[]): void {
    for (const { process, name, doc, isOver } of this.#watches) {
      if (isOver) continue;
      const held = states.find(({ region }) => region.name === process.region)?.documents.get(name);
      if (held !== undefined && !Y.equalSnapshots(Y.snapshot(doc), Y.snapshot(held.doc)))
        this.#world.trace.breach(
          `R1 a reader of ${name} at ${process.region}#${process.number} missed something`,
        );
    }
  }

  async #lookAtChannel(process: Process, channel: string): Promise<void> {
    const { random, trace } = this.#world;
    const { database } = this.#world.region(process.region);
    // With a token the answer holds that write, wherever it was made, or there is none.
    const wanted = random.chance(60) ? random.pick(this.#ledger.tokens) : undefined;
    // What was shown before it was asked: the answer of a stopped process comes late.
    const seen = new Map(this.#texts);
    const deleted = new Set(process.sawDeleted);
    let shown: Set<string>;
    let items: Message[];
    try {
      const after = wanted?.channel === channel ? wanted.token : undefined;
      const page = process.replica.messages(WORKSPACE, channel, undefined, 1_000, after);
      const answer = await this.#world.patient(process.life.through(page));
      if (answer === undefined) return;
      items = answer.items;
      shown = new Set(items.map(({ id }) => id));
      if (shown.size < items.length) trace.breach(`R4 ${process.region} shows a message twice`);
    } catch {
      return;
    }
    await this.#mustNotGoBack(process, items, seen);
    const gone = [...shown].find((id) => deleted.has(id));
    if (gone !== undefined)
      trace.breach(`R3 ${process.region}#${process.number} shows the deleted ${gone} again`);
    const unwritten = [...shown].find((id) => !database.witness.posted.has(id));
    if (unwritten !== undefined)
      trace.breach(`R2 ${process.region} shows ${unwritten}, which is not durable`);
    if (wanted?.channel === channel && !shown.has(wanted.id) && !database.witness.deleted.has(wanted.id))
      trace.breach(
        `R9 ${process.region}#${process.number} answers without ${wanted.id}, though asked with its token`,
      );
    for (const id of database.witness.deleted)
      if (!shown.has(id) && this.#isIn(id, channel)) process.sawDeleted.add(id);
  }

  /** Those who have the document itself must not see a text go back either. */
  async #lookAtSegment(process: Process, name: string): Promise<void> {
    if (parseName(name)?.kind !== 'segment') return;
    const read = async (): Promise<Uint8Array> => {
      const reader = await process.replica.join(name, { update: () => undefined, dropped: () => undefined });
      try {
        return (await reader.read()).difference;
      } finally {
        reader.close();
      }
    };
    const seen = new Map(this.#texts);
    const state = await this.#world.patient(process.life.through(read())).catch(() => undefined);
    if (state === undefined) return;
    const doc = new Y.Doc();
    Y.applyUpdate(doc, state);
    const segment = new Segment(doc);
    const messages = [...segment.ids()].map((id) => unionOf([segment.copy(id)], Number.MAX_SAFE_INTEGER));
    await this.#mustNotGoBack(
      process,
      messages.filter((message) => message !== undefined),
      seen,
      `${process.number} ${name}`,
    );
  }

  /**
   * The text that a region shows of a message is never older than one that it has shown; but while
   * something of a segment is missing there, a delete may have taken the edits before its mark has come.
   */
  async #mustNotGoBack(
    { region }: Process,
    items: readonly Message[],
    seen: ReadonlyMap<string, number>,
    where = '',
  ): Promise<void> {
    const { disk, store } = this.#world.region(region).database;
    for (const { id, editedAt = 0 } of items) {
      const place = `${region} ${disk} ${where} ${id}`;
      if (editedAt < (seen.get(place) ?? 0) && !(await hasPending(store).catch(() => true)))
        this.#world.trace.breach(`R3 ${region} shows an older text of ${id} again`);
      this.#texts.set(place, Math.max(this.#texts.get(place) ?? 0, editedAt));
    }
  }

  #isIn(id: string, channel: string): boolean {
    const command = this.#ledger.sent.get(id)?.command;
    return command?.kind === 'post' && command.channel === channel;
  }

  async #lookAtMarkers(process: Process): Promise<void> {
    const { trace } = this.#world;
    const { name, database } = this.#world.region(process.region);
    const { disk } = database;
    const scopes = MEMBERS.map((member) => memberScope(WORKSPACE, member));
    const before = new Map(this.#markers);
    const read = process.life.through(process.replica.loadCells(scopes));
    const cells = await this.#world.patient(read).catch(() => undefined);
    for (const { scope, key, v } of cells ?? []) {
      const place = `${name} ${disk} ${scope} ${key}`;
      if (v < (before.get(place) ?? ''))
        trace.breach(`R3 the read marker ${key} of ${scope} goes back in ${name}`);
      if (v > (this.#markers.get(place) ?? '')) this.#markers.set(place, v);
    }
  }

  /** What a reader hears must be in the store by then. */
  #mustBeDurable({ process, name }: Watch, bytes: Uint8Array): void {
    const { trace } = this.#world;
    const { witness } = this.#world.region(process.region).database;
    for (const { client, to } of stretchesOf(bytes))
      if (!witness.stores(name, client, to))
        trace.breach(`R2 a reader of ${name} in ${process.region} saw ${client}:${to}, which is not durable`);
  }
}

/** Does a segment of this database wait for structs that have not come? */
async function hasPending(store: MemoryStore): Promise<boolean> {
  const channels = await Promise.all(
    CHANNELS.map((channel) => store.segments(channelScope(WORKSPACE, channel))),
  );
  for (const [at, rows] of channels.entries())
    for (const { segment } of rows) {
      const doc = new Y.Doc();
      for (const row of await store.loadDocument(segmentName(WORKSPACE, CHANNELS[at]!, segment)))
        Y.applyUpdate(doc, row);
      if (doc.store.pendingStructs !== null) return true;
    }
  return false;
}
