import { CausewayError, parseName, type Name } from '@causeway/protocol';
import type { Founding } from '@causeway/replica';
import type { Config } from './config/read.ts';

export type Workspace = Config['workspaces'][number];
export type DocumentName = Extract<Name, { kind: 'segment' | 'canvas' | 'version' }>;

/**
 * Which workspaces there are, and where they may be served. Read from the manifest; every name is taken
 * as slug or id, so that links survive a rename. What became of a workspace since is its strong log.
 */
export class Catalog {
  readonly #config: Config;

  constructor(config: Config) {
    this.#config = config;
  }

  workspace(slugOrId: string): Workspace | undefined {
    return find(this.#config.workspaces, slugOrId);
  }

  /** Throws `elsewhere`, with the regions to go to, for a workspace whose zone this region is not in. */
  mustBeHere({ zone: pinned }: Workspace): void {
    if (this.#config.zones.some(({ zone }) => zone === pinned)) return;
    const regions = this.regionsOf(pinned);
    const urls = this.#config.regions.filter(({ region }) => regions.includes(region)).map(({ url }) => url);
    throw new CausewayError(
      'elsewhere',
      `this workspace is kept in zone ${pinned}; go to ${urls.join(' or ')}`,
      {
        regions: urls,
      },
    );
  }

  /** What the manifest says of the workspaces of a zone: their version 0. */
  foundingsOf(zone: string): Founding[] {
    return this.#config.workspaces
      .filter((workspace) => workspace.zone === zone)
      .map(({ id, home, admins = [], channels }) => ({ id, home, admins, channels }));
  }

  /** A document's name taken apart, its slugs as they are; `not-found` when it is no document's. */
  parseDocument(name: string): DocumentName {
    const parsed = parseName(name);
    if (parsed?.kind !== 'segment' && parsed?.kind !== 'canvas' && parsed?.kind !== 'version')
      throw new CausewayError(
        'not-found',
        'documents are <workspace>/segment/<channel>/<n>, <workspace>/canvas/<id> and <workspace>/version/<canvas>/<id>',
      );
    return parsed;
  }

  regionsOf(zone: string): string[] {
    return this.#config.regions.filter(({ zones }) => zones.includes(zone)).map(({ region }) => region);
  }
}

const find = <T extends { id: string; slug: string }>(items: readonly T[], slugOrId: string): T | undefined =>
  items.find(({ id }) => id === slugOrId) ?? items.find(({ slug }) => slug === slugOrId);
