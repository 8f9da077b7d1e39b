import { connect, type Client } from '@causeway/client';
import { SERVERS } from '@causeway/local';
import type { Command } from 'commander';
import type { Context } from './context.ts';
import { Failure } from './failure.ts';

/** Where a person speaks or listens. */
export type Place = { region?: string; member: string; workspace: string; channel: string };

/** The options that say where, the same for every command that speaks or listens. */
export const withPlace = (command: Command): Command =>
  command
    .option('-r, --region <region>', 'the region to go to; the home of the workspace by default')
    .option('-m, --member <member>', 'who', 'ada')
    .option('-w, --workspace <id>', 'in which workspace', 'demo')
    .option('-c, --channel <channel>', 'in which channel', 'general');

/** Where each region of the running world listens: of its servers, the first that is ready. */
export async function regionUrls(context: Context): Promise<Map<string, string>> {
  const { regions } = await context.world().status();
  return new Map(
    regions.map(({ region, url, urls, parts }) => [
      region,
      urls.find((_, nth) => parts[SERVERS[nth]!]?.ready === true) ?? url,
    ]),
  );
}

/** Signs in as a member at a region; fails with what to do when that cannot be. */
export async function signIn(context: Context, { region, member, workspace }: Place): Promise<Client> {
  const world = context.world();
  const { workspaces } = await world.status();
  const home = workspaces.find(({ id, slug }) => id === workspace || slug === workspace)?.home;
  const urls = await regionUrls(context);
  const url = urls.get(region ?? home ?? '') ?? (region === undefined ? [...urls.values()][0] : undefined);
  if (url === undefined)
    throw new Failure(
      `There is no region "${region}" in this world. Regions: ${[...urls.keys()].join(', ')}.`,
      'wrong-use',
    );
  const token = await world.token({ member, workspace });
  return connect({ url, token, workspace }).catch((cause: Error) => {
    throw new Failure(`${url} does not let ${member} in: ${cause.message}`, 'failed', { cause });
  });
}
