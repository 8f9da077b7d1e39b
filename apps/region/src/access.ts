import { CausewayError } from '@causeway/protocol';
import type { Replica } from '@causeway/replica';
import type { Catalog, Workspace } from './catalog.ts';
import type { Identity } from './tokens.ts';

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

  /** The replica that serves this workspace to this identity; throws `forbidden`, or `elsewhere` with where to go. */
  replicaFor(identity: Identity, workspace: Workspace): Replica {
    if (identity.workspace !== workspace.id)
      throw new CausewayError('forbidden', 'the token is for another workspace');
    if (!this.#catalog.regionsOf(workspace.zone).includes(identity.signedBy))
      throw new CausewayError('forbidden', `the token was signed outside zone ${workspace.zone}`);
    this.#catalog.mustBeHere(workspace);
    return this.#replicas.get(workspace.zone)!;
  }
}
