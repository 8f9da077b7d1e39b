import type { WorldStatus } from '@causeway/local';
import type { Paint } from './paint.ts';
import { table } from './table.ts';

/** What a person sees when a world is up: what there is, and what to try. */
export function welcome(status: WorldStatus, paint: Paint): string {
  const { url, home, regions, workspaces, members } = status;
  const head = ['REGION', 'URL', 'ZONES', 'STATE'].map((title) => paint('dim', title));
  const rows = regions.flatMap((region) => [
    [
      region.region,
      region.url,
      region.zones.join(', '),
      region.ready ? paint('green', 'ready') : paint('yellow', 'no server'),
    ],
    ...region.urls.slice(1).map((more) => ['', more]),
  ]);
  const [first, second] = regions;
  const tries = [
    [`open ${url}`, 'the chat page'],
    [`npx causeway token ${members[0]}`, 'a token, for curl or a y-websocket provider'],
    ['npx causeway status', 'regions, lag and links'],
    ...(first === undefined || second === undefined
      ? []
      : [
          [
            `npx causeway partition ${first.region} ${second.region}`,
            'cut the link; writing goes on at both ends',
          ],
          ['npx causeway heal', 'and both ends merge'],
        ]),
  ];
  return [
    `${paint('bold', 'Causeway is up')}: ${paint('cyan', url)}`,
    table([head, ...rows]),
    table([
      ...workspaces.map(({ id, zone, channels }) => [
        paint('dim', 'workspace'),
        id,
        `zone ${zone}, channels ${channels.map(({ slug }) => slug).join(', ')}`,
      ]),
      [paint('dim', 'members'), members.join(', ')],
    ]),
    `Try next\n${indent(table(tries.map(([command, what]) => [command!, paint('dim', what!)])))}`,
    paint('dim', `State is in ${home}. Ctrl-C stops everything.`),
  ].join('\n\n');
}

const indent = (text: string): string => text.replaceAll(/^/gm, '  ');
