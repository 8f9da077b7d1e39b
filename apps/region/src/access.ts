import { CausewayError, type Name } from '@causeway/protocol';
import type { Replica } from '@causeway/replica';
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

  get catalog(): Catalog {
    return this.#catalog;
  }

  /**
   * The workspace of that slug or id. Throws `forbidden` for every other one than the token's, so
   * that nobody learns which there are (R12), and `elsewhere` with where to go.
   */
  workspace(identity: Identity, slugOrId: string): Opened {
    const workspace = this.#catalog.workspace(slugOrId);
    if (workspace === undefined || workspace.id !== identity.workspace)
      throw new CausewayError('forbidden', 'the token is for another workspace');
    if (!this.#catalog.regionsOf(workspace.zone).includes(identity.signedBy))
      throw new CausewayError('forbidden', `the token was signed outside zone ${workspace.zone}`);
    this.#catalog.mustBeHere(workspace);
    return { workspace, replica: this.#replicas.get(workspace.zone)! };
  }

  /** A document by its name; slugs in it become ids. Whether it exists is another question. */
  document(identity: Identity, documentName: string): Opened & { name: Name } {
    const parsed = this.#catalog.parseDocument(documentName);
    const opened = this.workspace(identity, parsed.workspace);
    const name = { ...parsed, workspace: opened.workspace.id };
    if (name.kind === 'segment') name.channel = this.#catalog.channel(opened.workspace, name.channel).id;
    return { ...opened, name };
  }
}
