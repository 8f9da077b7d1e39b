import { channelScope, memberScope, parseName, type Ack, type Cell, type Command } from '@causeway/protocol';
import { retrying } from '../retryable.ts';
import { Conversation, type Answer, type Pushed } from './conversation.ts';
import type { Credentials } from './credentials.ts';
import { Link } from './link.ts';
import { LinkedDocument, type DocumentOptions } from './linked-document.ts';

export type SessionParts = {
  url: string;
  credentials: Credentials;
  workspace: string;
  member: string;
  random(): number;
  /** See LinkParts. */
  isAwaited?(): boolean;
  webSocket?: typeof WebSocket;
  /** The region listens again. */
  joined(): void;
  pushed(push: Partial<Pushed>): void;
};

type Take = (cells: readonly Cell[]) => void;
type Ask = Parameters<Conversation['ask']>[0];

/** What one member has with one region: documents, and a conversation that is taken up again with every connection. */
export class Session {
  readonly link: Link;
  readonly #parts: SessionParts;
  readonly #conversation: Conversation;
  /** By scope: of a channel, of the member. */
  readonly #watched = new Map<string, { ask: Ask; takes: Set<Take> }>();
  /** What is asked again with every connection, by what it is about. */
  readonly #standing = new Map<string, Ask>();
  #joined = new AbortController();

  constructor(parts: SessionParts) {
    this.#parts = parts;
    const { url, credentials, workspace, random, isAwaited, webSocket } = parts;
    const name = `${workspace}/session`;
    this.link = new Link({
      url,
      credentials,
      random,
      probe: name,
      ...(isAwaited === undefined ? {} : { isAwaited }),
      ...(webSocket === undefined ? {} : { webSocket }),
    });
    this.#conversation = new Conversation(this.link, name, {
      joined: () => this.#rejoin(),
      left: () => this.#joined.abort(),
      pushed: (push) => {
        if (push.cells !== undefined) this.#take(push.cells);
        parts.pushed(push);
      },
    });
  }

  get isJoined(): boolean {
    return this.#conversation.isJoined;
  }

  open(options: DocumentOptions): LinkedDocument {
    return new LinkedDocument(this.link, options);
  }

  execute(command: Command): Promise<Ack> {
    return this.#conversation.execute(command);
  }

  ask(request: Ask): Promise<Answer> {
    return this.#conversation.ask(request);
  }

  tell(request: Ask): void {
    this.#conversation.tell(request);
  }

  /** Cells of a channel and of its messages, now and as they change, until the returned function is called. */
  watchChannel(channel: string, take: Take): () => void {
    const scope = channelScope(this.#parts.workspace, channel);
    const leave = this.#watch(scope, { do: 'cells', channel }, take);
    return () => {
      leave();
      if (!this.#watched.has(scope)) this.tell({ do: 'cells', channel, on: false });
    };
  }

  /** The member's own cells. */
  watchMine(take: Take): () => void {
    const { workspace, member } = this.#parts;
    return this.#watch(memberScope(workspace, member), { do: 'mine' }, take);
  }

  /** Asks now and again with every connection; the next request of the same kind takes its place. */
  keepAsking(request: Ask): void {
    this.#standing.set(request.do, request);
    if (this.isJoined) this.#askUntilAnswered(request);
  }

  close(): void {
    this.#joined.abort();
    this.#conversation.close();
    this.link.close();
  }

  #watch(scope: string, ask: Ask, take: Take): () => void {
    let watch = this.#watched.get(scope);
    const isFirst = watch === undefined;
    if (watch === undefined) this.#watched.set(scope, (watch = { ask, takes: new Set() }));
    const mine = watch;
    mine.takes.add(take);
    // One who comes later needs what there is as well.
    if (this.isJoined) this.#askUntilAnswered(isFirst ? ask : mine.ask);
    return () => {
      mine.takes.delete(take);
      if (mine.takes.size === 0) this.#watched.delete(scope);
    };
  }

  #rejoin(): void {
    this.#joined = new AbortController();
    for (const { ask } of this.#watched.values()) this.#askUntilAnswered(ask);
    for (const ask of this.#standing.values()) this.#askUntilAnswered(ask);
    this.#parts.joined();
  }

  /** What the answer holds comes by `pushed`; one that is refused for good stays without. */
  #askUntilAnswered(request: Ask): void {
    const { signal } = this.#joined;
    const { random } = this.#parts;
    retrying(() => this.#conversation.ask(request), { signal, random }).catch(() => undefined);
  }

  #take(cells: readonly Cell[]): void {
    const { workspace } = this.#parts;
    for (const [scope, group] of Map.groupBy(cells, (cell) => cell.scope)) {
      const name = parseName(scope);
      const of = name?.kind === 'message' ? channelScope(workspace, name.channel) : scope;
      for (const take of this.#watched.get(of)?.takes ?? []) take(group);
    }
  }
}
