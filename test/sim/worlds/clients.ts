import {
  CausewayError,
  base64url,
  type Ack,
  type Command,
  type CommandOf,
  type Token,
} from '@causeway/protocol';
import { BusDown, Doubtful, Unavailable } from '@causeway/replica';
import * as Y from 'yjs';
import { isDone, type Ledger, type Sent } from './ledger.ts';
import type { Process } from './process.ts';
import { CANVASES, CHANNELS, MEMBERS, WORKSPACE } from './workspace.ts';
import { workspaceCommand } from './workspace-commands.ts';
import type { Region, World } from './world.ts';

/** A client that hears nothing for so long tries elsewhere. */
const PATIENCE_MS = 5_000;
const TRIES = 5;

type Session = { doc: Y.Doc; name: string };

/** Those who use a world: they make commands, keep them until they are acknowledged, and type into canvases. */
export class Clients {
  readonly ledger: Ledger;
  readonly #world: World;
  readonly #sessions: Session[];
  #number = 0;

  constructor(world: World, ledger: Ledger) {
    this.#world = world;
    this.ledger = ledger;
    const { random } = world;
    this.#sessions = [0, 1, 2].map((at) => {
      const doc = new Y.Doc();
      doc.clientID = 1 + random.below(2 ** 31);
      return { doc, name: CANVASES[at % CANVASES.length]! };
    });
  }

  /** A random command about what was posted so far, or an old one once more. */
  next(): Sent {
    const { random } = this.#world;
    const { ledger } = this;
    // Most talk is about what was said lately.
    const recent = random.chance(70) ? ledger.posts.slice(-8) : ledger.posts;
    const roll = random.below(100);
    if (recent.length === 0 || roll < 38) return ledger.add(this.#post());
    const { id, command } = random.pick(recent);
    if (command.kind !== 'post') throw new TypeError('a post is a post');
    const on = { workspace: WORKSPACE, channel: command.channel, message: id, nonce: this.#nonce() };
    const v = this.#v();
    const member = random.pick(MEMBERS);
    if (roll < 54) {
      const body = `edit ${this.#number++}`;
      return ledger.add({ kind: 'edit', ...on, member: command.member, body, v });
    }
    if (roll < 61) return ledger.add({ kind: 'delete', ...on, member: command.member });
    if (roll < 72) {
      const emoji = random.chance(70) ? '👍' : '🎉';
      return ledger.add({ kind: 'react', ...on, member, emoji, on: random.chance(60), v });
    }
    if (roll < 76) {
      const { workspace, channel, nonce } = on;
      return ledger.add({
        kind: 'topic',
        workspace,
        channel,
        nonce,
        member,
        topic: `topic ${this.#number++}`,
        v,
      });
    }
    const seen = roll < 82 ? random.pick(ledger.tokens) : undefined;
    const markers = markersOf(seen);
    if (seen !== undefined && markers.length > 0) {
      const { channel } = seen;
      return ledger.add({ kind: 'read', workspace: WORKSPACE, channel, member, nonce: on.nonce, markers });
    }
    if (roll < 84) {
      const title = `canvas ${this.#number++}`;
      return ledger.add({ kind: 'canvas', workspace: WORKSPACE, member, nonce: this.#nonce(), title, v });
    }
    if (roll < 94) {
      const frame = () => ({
        workspace: WORKSPACE,
        member: random.pick(MEMBERS),
        nonce: this.#nonce(),
        v: this.#v(),
      });
      return ledger.add(workspaceCommand(this.#world, ledger, { ...command, id }, frame));
    }
    return random.pick([...ledger.sent.values()]);
  }

  /** Sends a command, and again to other regions and processes while it is unanswered, as an outbox does. */
  async send(sent: Sent): Promise<void> {
    const { random, time, trace } = this.#world;
    trace.count(`operation/${sent.command.kind}`);
    const level = random.chance(20) ? 'zone' : 'region';
    for (let attempt = 0; attempt < TRIES; attempt++) {
      const process = this.#world.anyProcess();
      if (process !== undefined) {
        // Two clicks, or an impatient proxy.
        if (random.chance(10)) void this.#twice(process, sent);
        if (await this.#answered(process, sent, level)) return;
      }
      await time.sleep(30 + random.below(700));
    }
    trace.count('operation/given-up');
  }

  /** One change of a canvas, by a client that first catches up with the process it reaches. */
  async type(): Promise<void> {
    const { random, trace } = this.#world;
    const { doc, name } = random.pick(this.#sessions);
    const process = this.#world.anyProcess();
    if (process === undefined) return;
    trace.count('operation/type');
    const { disk } = this.#world.region(process.region).database;
    const server = await this.#stateOf(process, name, doc);
    if (server === undefined) return;
    const before = Y.encodeStateVector(doc);
    this.#change(doc);
    const complete = random.chance(75);
    const bytes = Y.encodeStateAsUpdate(doc, complete ? server : before);
    const clock = Y.getState(doc.store, doc.clientID);
    const acked = await this.#patient(process.life.through(process.replica.writeCanvas(name, bytes, 'ada')));
    if (acked === 'failed' || !complete) return;
    const region = this.#world.region(process.region);
    if (region.database.disk !== disk) return;
    trace.count('ack/canvas');
    if (!region.database.witness.reaches(name, doc.clientID, clock))
      trace.breach(`R2 ${process.region} acknowledged a change of ${name} that is not durable`);
    this.ledger.typed.push({
      document: name,
      client: doc.clientID,
      clock,
      region: process.region,
      excused: false,
    });
  }

  /**
   * One message is edited more often than is kept, in a region that another one does not hear, while
   * a third one hears it and, its clock being hours ahead, prunes at once.
   */
  async storm(): Promise<void> {
    const { time, network, regions } = this.#world;
    const [pruner, author, cutOff] = regions.map(({ processes }) => processes[0]);
    if (pruner === undefined || author === undefined || cutOff === undefined) return;
    const post = this.ledger.add(this.#post());
    await this.#answered(cutOff, post, 'region');
    const { channel, member } = post.command as CommandOf<'post'>;
    const edit = (): Sent =>
      this.ledger.add({
        kind: 'edit',
        workspace: WORKSPACE,
        channel,
        member,
        message: post.id,
        nonce: this.#nonce(),
        body: `edit ${this.#number++}`,
        v: (time.now() + this.#number) * 1024,
      });
    await this.#answered(cutOff, edit(), 'region');
    await time.sleep(3_000);
    network.cut(author.region, cutOff.region);
    for (const process of regions[0]!.processes) process.skewMs = 7_200_000;
    await Promise.all(Array.from({ length: 55 }, () => this.#answered(author, edit(), 'region')));
  }

  /**
   * A region gets the second change of a canvas without the first, which it needs, and its servers are
   * started anew while that waits.
   */
  async strand(): Promise<void> {
    const { time, network, regions } = this.#world;
    const [first, second, third] = regions as [Region, Region, Region];
    const { doc, name } = this.#sessions[0]!;
    network.cut(first.name, third.name);
    for (const { processes } of [first, second]) {
      const before = Y.encodeStateVector(doc);
      this.#change(doc);
      const { life, replica } = processes[0]!;
      const bytes = Y.encodeStateAsUpdate(doc, before);
      await this.#patient(life.through(replica.writeCanvas(name, bytes, 'ada')));
      await time.sleep(1_000);
    }
    for (const { life } of third.processes) life.kill();
    this.#world.fill(third);
    for (const process of third.processes) await this.#stateOf(process, name, new Y.Doc());
  }

  /** What a stock provider does when it connects: both sides exchange what the other lacks. */
  async resynchronise(): Promise<void> {
    for (const { doc, name } of this.#sessions)
      for (let attempt = 0; attempt < 20; attempt++) {
        const process = this.#world.anyProcess();
        const server = process === undefined ? undefined : await this.#stateOf(process, name, doc, true);
        if (process === undefined || server === undefined) continue;
        const bytes = Y.encodeStateAsUpdate(doc, server);
        const done = await this.#patient(
          process.life.through(process.replica.writeCanvas(name, bytes, 'ada')),
        );
        if (done !== 'failed') break;
        await this.#world.time.sleep(500);
      }
  }

  /** The documents of the clients, by name of the canvas. */
  canvases(): readonly Session[] {
    return this.#sessions;
  }

  #change(doc: Y.Doc): void {
    const { random } = this.#world;
    doc.transact(() => {
      const text = doc.getText('t');
      if (text.length > 4 && random.chance(25)) text.delete(random.below(text.length - 2), 2);
      else text.insert(random.below(text.length + 1), `${this.#number++} `);
      if (!random.chance(30)) return;
      const fragment = doc.getXmlFragment('body');
      if (fragment.length > 3 && random.chance(40)) fragment.delete(random.below(fragment.length), 1);
      else fragment.insert(random.below(fragment.length + 1), [new Y.XmlElement('p')]);
      doc.getMap('m').set(random.pick(['a', 'b']), this.#number);
    });
  }

  /** The server's state vector, after taking over what it has. */
  async #stateOf(
    process: Process,
    name: string,
    doc: Y.Doc,
    always = false,
  ): Promise<Uint8Array | undefined> {
    const { random } = this.#world;
    const nobody = { update: () => undefined, dropped: () => undefined };
    const read = async (): Promise<{ difference: Uint8Array; stateVector: Uint8Array }> => {
      const reader = await process.replica.join(name, nobody);
      try {
        return await reader.read(Y.encodeStateVector(doc));
      } finally {
        reader.close();
      }
    };
    const state = await this.#patient(process.life.through(read()));
    if (typeof state === 'string') return undefined;
    if (always || random.chance(60)) Y.applyUpdate(doc, state.difference);
    return state.stateVector;
  }

  /** True when the client need not ask again. */
  async #answered(process: Process, sent: Sent, level: Ack['level']): Promise<boolean> {
    const { trace } = this.#world;
    const { disk } = this.#world.region(process.region).database;
    const work = process.life.through(process.replica.execute(sent.command, { level }));
    const late = this.#world.time.sleep(PATIENCE_MS).then(() => 'late' as const);
    const taken = work.then(
      (ack) => this.#acked(process, sent, ack, disk),
      (error: unknown) => this.#refused(process, sent, error),
    );
    const outcome = await Promise.race([taken, late, died(process)]);
    if (outcome === 'late') trace.count('operation/late');
    return outcome === 'done';
  }

  /** The same once more, while the first is under way. */
  async #twice(process: Process, sent: Sent): Promise<void> {
    await this.#world.time.sleep(this.#world.random.below(4));
    await this.#answered(process, sent, 'region');
  }

  #acked(process: Process, sent: Sent, ack: Ack, disk: number): 'done' {
    const { trace } = this.#world;
    const { region } = process;
    const { database } = this.#world.region(region);
    const { command } = sent;
    trace.event(`ack ${region}#${process.number} ${command.kind} ${sent.id} ${ack.level}`);
    trace.count(`ack/${ack.level}`);
    if (database.disk !== disk) return 'done';
    sent.acks.push({ region, level: ack.level });
    const unseen = ack.token.find((position) => !database.witness.holds(position));
    if (unseen !== undefined)
      trace.breach(
        `R2 ${region} acknowledged ${command.kind} ${sent.id} though ${JSON.stringify(unseen)} is not durable`,
      );
    if (!isDone(sent, database.witness))
      trace.breach(`R2 ${region} acknowledged ${command.kind} ${sent.id} though it is not durable`);
    if (ack.level === 'zone' && !this.#isElsewhere(sent, region))
      trace.breach(
        `R3 ${region} acknowledged ${command.kind} ${sent.id} at level zone, no other region has it`,
      );
    if (command.kind !== 'post') return 'done';
    this.ledger.tokens.push({ id: sent.id, channel: command.channel, token: ack.token });
    return 'done';
  }

  #isElsewhere(sent: Sent, region: string): boolean {
    return this.#world.regions.some(
      ({ name, database: { witness, lost } }) =>
        // Who lost its disk after its report cannot take the report back.
        name !== region && [witness, ...lost].some((held) => isDone(sent, held)),
    );
  }

  #refused(process: Process, { id, command }: Sent, error: unknown): 'done' | 'again' {
    const { trace } = this.#world;
    if (error instanceof Unavailable || error instanceof Doubtful || error instanceof BusDown) return 'again';
    if (!(error instanceof CausewayError)) {
      trace.breach(`${process.region} answered ${command.kind} ${id} with ${String(error)}`);
      return 'done';
    }
    trace.event(`refused ${process.region}#${process.number} ${command.kind} ${id} ${error.code}`);
    trace.count(`refused/${error.code}`);
    return ['not-committed', 'not-here-yet', 'not-replicated', 'not-ready'].includes(error.code)
      ? 'again'
      : 'done';
  }

  /** What comes of work on a canvas, unless it fails or takes too long. */
  async #patient<T>(work: Promise<T>): Promise<T | 'done' | 'failed'> {
    const settled = work.then(
      (value) => value ?? ('done' as const),
      (error: unknown) => {
        const known =
          error instanceof CausewayError || error instanceof Unavailable || error instanceof Doubtful;
        if (!known) this.#world.trace.breach(`a canvas was answered with ${String(error)}`);
        return 'failed' as const;
      },
    );
    return (await this.#world.patient(settled)) ?? 'failed';
  }

  #post(): Command {
    const { random } = this.#world;
    return {
      kind: 'post',
      workspace: WORKSPACE,
      channel: random.chance(85) ? CHANNELS[0]! : CHANNELS[1]!,
      member: random.pick(MEMBERS),
      nonce: this.#nonce(),
      body: `post ${this.#number++}`,
    };
  }

  #nonce(): string {
    return base64url(this.#world.random.bytes(16));
  }

  /** Hybrid time of a client whose clock is right, more or less. */
  #v(): number {
    const { random, time } = this.#world;
    return (time.now() + random.below(3_000) - 1_000) * 1024 + random.below(1_000);
  }
}

/** The read markers of somebody who has this message on screen. */
function markersOf(
  posted: { token: Token } | undefined,
): { segment: number; client: number; clock: number }[] {
  return (posted?.token ?? []).flatMap((position) => {
    if (!('document' in position)) return [];
    const segment = Number(position.document.slice(position.document.lastIndexOf('/') + 1));
    return [{ segment, client: position.client, clock: position.clock }];
  });
}

const died = (process: Process): Promise<'died'> =>
  new Promise((resolve) => {
    if (process.life.isDead) resolve('died');
    else process.life.death.addEventListener('abort', () => resolve('died'), { once: true });
  });
