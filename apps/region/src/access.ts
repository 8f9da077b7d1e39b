import { CausewayError, type Command, type Name } from '@causeway/protocol';
import type { ReachedChannel, Replica } from '@causeway/replica';
import type { Catalog, Workspace } from './catalog.ts';
import type { Identity } from './tokens.ts';

/** A workspace and the replica that serves it. */
export type Opened = { workspace: Workspace; replica: Replica };

/**
 * What a verified identity may reach: its own workspace (R12), if its token was signed by a
 * region of that workspace's zone (R6), through the replica of that zone.
 */
export class Access {
  readonly #catalog: Catalog;
  readonly #replicas: ReadonlyMap<string, Replica>;

  constructor(catalog: Catalog, replicas: ReadonlyMap<string, Replica>) {
    this.#catalog = catalog;
    this.#replicas = replicas;
  }

  /**
   * The workspace of that slug or id. Rejects with `forbidden` for every other one than the token's, so
   * that nobody learns which there are (R12), and for who was removed from it; with `elsewhere` and where to go.
   */
  async workspace(identity: Identity, slugOrId: string): Promise<Opened> {
    const workspace = this.#catalog.workspace(slugOrId);
    if (workspace === undefined || workspace.id !== identity.workspace)
      throw new CausewayError('forbidden', 'the token is for another workspace');
    if (!this.#catalog.regionsOf(workspace.zone).includes(identity.signedBy))
      throw new CausewayError('forbidden', `the token was signed outside zone ${workspace.zone}`);
    this.#catalog.mustBeHere(workspace);
    const replica = this.#replicas.get(workspace.zone)!;
    await replica.reach.workspace(workspace.id, identity.member);
    return { workspace, replica };
  }

  /**
   * A channel of that slug or id, if this member may see it: `not-found` otherwise, so that names of private
   * ones do not leak.
   */
  channel({ workspace, replica }: Opened, member: string, slugOrId: string): Promise<ReachedChannel> {
    return replica.reach.channel(workspace.id, member, slugOrId);
  }

  /** The channels that this member may see, in no order; see Reach.channels. */
  channels({ workspace, replica }: Opened, member: string): Promise<{ id: string; isJoined: boolean }[]> {
    return replica.reach.channels(workspace.id, member);
  }

  /**
   * Rejects unless the member of a command may carry it out: `not-found` where he sees no such channel,
   * `archived` for what would write into an archived one. That workspace and member are those of the
   * identity is the door's business.
   */
  command({ replica }: Opened, command: Command): Promise<void> {
    return replica.reach.command(command);
  }

  /** A document by its name; slugs in it become ids. Whether it exists is another question. */
  async document(identity: Identity, documentName: string): Promise<Opened & { name: Name }> {
    const parsed = this.#catalog.parseDocument(documentName);
    const opened = await this.workspace(identity, parsed.workspace);
    const name = { ...parsed, workspace: opened.workspace.id };
    if (name.kind === 'segment')
      name.channel = (await this.channel(opened, identity.member, name.channel)).id;
    return { ...opened, name };
  }

  /**
   * Calls `changed` after each change of what this member may reach (removed from the workspace or from a
   * channel, invited, returned), until the returned function is called. Who holds something open for him
   * then asks for it again, and closes it when that is refused.
   */
  watch({ workspace: id, member }: Identity, changed: () => void): () => void {
    const workspace = this.#catalog.workspace(id);
    const replica = workspace === undefined ? undefined : this.#replicas.get(workspace.zone);
    return replica?.reach.watch(id, member, changed) ?? (() => undefined);
  }
}
