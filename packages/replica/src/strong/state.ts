import { digestOf, firstHead, type Change, type Head, type Version } from '@causeway/protocol';
import type { Founding } from './ports.ts';

export type ChannelState = {
  readonly id: string;
  readonly slug: string;
  readonly private: boolean;
  readonly archived: boolean;
  /** Of a private one; empty for a public one, which everybody sees. */
  readonly members: ReadonlySet<string>;
};

/** Who may hear of a change: every member, or these. */
export type Audience = 'everybody' | ReadonlySet<string>;

/** A change as it came into force. */
export type Applied = {
  version: number;
  change: Change;
  audience: Audience;
  /** Members who may reach more or less than before. */
  touches: ReadonlySet<string>;
};

const NOBODY: ReadonlySet<string> = new Set();

/**
 * A workspace at one version: the fold of its strong log over the manifest. What is decided is not judged
 * again: a change that says nothing here (of a channel that the manifest no longer has) changes nothing.
 */
export class WorkspaceState {
  readonly workspace: string;
  #head: Head;
  readonly #admins: ReadonlySet<string>;
  readonly #removed: Set<string>;
  readonly #channels: Map<string, ChannelState>;
  /** Slug → id. */
  readonly #slugs: Map<string, string>;

  private constructor(
    workspace: string,
    head: Head,
    parts: {
      admins: ReadonlySet<string>;
      removed: Set<string>;
      channels: Map<string, ChannelState>;
      slugs: Map<string, string>;
    },
  ) {
    this.workspace = workspace;
    this.#head = head;
    this.#admins = parts.admins;
    this.#removed = parts.removed;
    this.#channels = parts.channels;
    this.#slugs = parts.slugs;
  }

  static founded({ id: workspace, admins, channels }: Founding): WorkspaceState {
    return new WorkspaceState(workspace, firstHead(workspace), {
      admins: new Set(admins),
      removed: new Set(),
      channels: new Map(
        channels.map(({ id, slug }) => [id, { id, slug, private: false, archived: false, members: NOBODY }]),
      ),
      slugs: new Map(channels.map(({ id, slug }) => [slug, id])),
    });
  }

  /** One that can be changed without this one. */
  copy(): WorkspaceState {
    return new WorkspaceState(this.workspace, this.#head, {
      admins: this.#admins,
      removed: new Set(this.#removed),
      channels: new Map(this.#channels),
      slugs: new Map(this.#slugs),
    });
  }

  get head(): Head {
    return this.#head;
  }

  get version(): number {
    return this.#head.version;
  }

  /** Everybody whose token names the workspace is a member, but for those who were removed. */
  isMember(member: string): boolean {
    return !this.#removed.has(member);
  }

  isAdmin(member: string): boolean {
    return this.#admins.has(member) && this.isMember(member);
  }

  get admins(): string[] {
    return [...this.#admins].filter((admin) => this.isMember(admin)).sort();
  }

  get removed(): string[] {
    return [...this.#removed].sort();
  }

  /** How many channels there are, archived ones included. */
  get size(): number {
    return this.#channels.size;
  }

  /** The channel of that id, or else of that slug, whoever may see it. */
  channel(slugOrId: string): ChannelState | undefined {
    return this.#channels.get(slugOrId) ?? this.#channels.get(this.#slugs.get(slugOrId) ?? '');
  }

  sees(member: string, channel: ChannelState): boolean {
    return this.isMember(member) && (!channel.private || channel.members.has(member));
  }

  /** The channels that a member may see, by slug. */
  channelsOf(member: string): ChannelState[] {
    return [...this.#channels.values()]
      .filter((channel) => this.sees(member, channel))
      .sort((a, b) => (a.slug < b.slug ? -1 : 1));
  }

  /** Goes on to the next version. */
  apply(version: Version): Applied[] {
    const applied = version.changes.map((change) => ({ version: version.version, ...this.change(change) }));
    this.#head = { version: version.version, digest: digestOf(version) };
    return applied;
  }

  /** One change; the head stays as it is. */
  change(change: Change): Omit<Applied, 'version'> {
    const { id, by, deed } = change;
    const told = (audience: Audience, touches: Iterable<string> = []): Omit<Applied, 'version'> => ({
      change,
      audience,
      touches: new Set(touches),
    });
    switch (deed.kind) {
      case 'create-channel': {
        const members = new Set(deed.private ? [by, ...deed.members] : []);
        const { slug, private: isPrivate } = deed;
        this.#channels.set(id, { id, slug, private: isPrivate, archived: false, members });
        if (!this.#slugs.has(slug)) this.#slugs.set(slug, id);
        return told(isPrivate ? members : 'everybody', members);
      }
      case 'rename-channel': {
        const channel = this.#channels.get(deed.channel);
        if (channel === undefined) return told(NOBODY);
        if (this.#slugs.get(channel.slug) === channel.id) this.#slugs.delete(channel.slug);
        this.#channels.set(channel.id, { ...channel, slug: deed.slug });
        if (!this.#slugs.has(deed.slug)) this.#slugs.set(deed.slug, channel.id);
        return told(audienceOf(channel));
      }
      case 'archive-channel': {
        const channel = this.#channels.get(deed.channel);
        if (channel === undefined) return told(NOBODY);
        this.#channels.set(channel.id, { ...channel, archived: deed.on });
        return told(audienceOf(channel));
      }
      case 'invite': {
        const after = this.#members(deed.channel, (members) => members.union(new Set(deed.members)));
        return told(after, deed.members);
      }
      case 'leave':
      case 'remove': {
        const gone = new Set([deed.kind === 'leave' ? by : deed.member]);
        const after = this.#members(deed.channel, (members) => members.difference(gone));
        return told(after.union(gone), gone);
      }
      case 'remove-member': {
        this.#removed.add(deed.member);
        // Who returns begins anew in private channels.
        const gone = new Set([deed.member]);
        for (const { id: channel, members } of this.#channels.values())
          if (members.has(deed.member)) this.#members(channel, (held) => held.difference(gone));
        return told('everybody', gone);
      }
      case 'return-member':
        this.#removed.delete(deed.member);
        return told('everybody', [deed.member]);
    }
  }

  /** Another set of members for a channel; what it is then. */
  #members(id: string, change: (members: ReadonlySet<string>) => ReadonlySet<string>): ReadonlySet<string> {
    const channel = this.#channels.get(id);
    if (channel === undefined) return NOBODY;
    const members = change(channel.members);
    this.#channels.set(id, { ...channel, members });
    return members;
  }
}

const audienceOf = (channel: ChannelState): Audience => (channel.private ? channel.members : 'everybody');
