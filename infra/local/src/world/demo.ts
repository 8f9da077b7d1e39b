import { regionsOf } from './layout.ts';

export const DEMO_MEMBERS = ['ada', 'ben', 'chiara', 'dev'] as const;

export type Workspace = {
  id: string;
  slug: string;
  name: string;
  zone: string;
  home: string;
  admins: string[];
  channels: { id: string; slug: string }[];
};

const DEMO = [
  { id: 'demo', name: 'Demo', zone: 'global', home: 'us-east', channels: ['general', 'random'] },
  { id: 'demo-eu', name: 'Demo EU', zone: 'eu', home: 'eu-west', channels: ['general'] },
];

/** The demo workspaces that these regions can hold; home moves to a region that is there. */
export function demoWorkspaces(running: readonly string[]): Workspace[] {
  return DEMO.flatMap(({ id, name, zone, home, channels }) => {
    const regions = regionsOf(zone, running);
    if (regions.length === 0) return [];
    return {
      id,
      slug: id,
      name,
      zone,
      home: regions.includes(home) ? home : regions[0]!,
      admins: [DEMO_MEMBERS[0]],
      channels: channels.map((channel) => ({ id: channel, slug: channel })),
    };
  });
}
