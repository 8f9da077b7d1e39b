import type { ConnectionStatus, OutboxEntry } from '@causeway/client';
import { addressOf, type Place } from './place.ts';
import { ConnectionBadge } from './session/connection-badge.tsx';
import type { World } from './world/control.ts';

type Chosen = Required<Pick<Place, 'region' | 'workspace' | 'member'>>;
type Props = {
  world: World;
  place: Place & Chosen;
  go(place: Place): void;
  connection: ConnectionStatus;
  outbox: readonly OutboxEntry[];
};

/** Where this window is, who is at it, how it is connected, and a way to a second one. */
export function TopBar({ world, place, go, connection, outbox }: Props) {
  const workspace = world.workspaces.find(({ id }) => id === place.workspace);
  const inZone = world.regions.filter(({ zones }) => zones.includes(workspace?.zone ?? ''));
  const choose = (part: Partial<Place>): void => go({ ...place, ...part });
  const { canvas: _, channel: __, ...bare } = place;
  return (
    <header className="top">
      <span className="brand">Causeway</span>
      <Choice
        label="Region"
        value={place.region}
        options={world.regions.map(({ region }) => ({
          value: region,
          text: inZone.some((each) => each.region === region) ? region : `${region} (outside the zone)`,
        }))}
        choose={(region) => choose({ region })}
      />
      <Choice
        label="Workspace"
        value={place.workspace}
        options={world.workspaces.map(({ id, name }) => ({ value: id, text: name }))}
        choose={(chosen) =>
          go({ ...bare, workspace: chosen, region: regionFor(world, chosen, place.region) })
        }
      />
      <Choice
        label="Member"
        value={place.member}
        options={world.members.map((member) => ({ value: member, text: member }))}
        choose={(member) => choose({ member })}
      />
      <ConnectionBadge connection={connection} region={place.region} outbox={outbox} />
      <span className="spacer" />
      <SecondWindow place={place} regions={inZone.map(({ region }) => region)} members={world.members} />
    </header>
  );
}

/** The region of this window if it serves the workspace, else the first one that does. */
function regionFor({ workspaces, regions }: World, workspace: string, region: string): string {
  const zone = workspaces.find(({ id }) => id === workspace)?.zone ?? '';
  const serving = regions.filter(({ zones }) => zones.includes(zone)).map((each) => each.region);
  return serving.includes(region) ? region : (serving[0] ?? region);
}

type ChoiceProps = {
  label: string;
  value: string;
  options: { value: string; text: string }[];
  choose(value: string): void;
};

function Choice({ label, value, options, choose }: ChoiceProps) {
  return (
    <label className="choice">
      <span>{label}</span>
      <select value={value} onChange={(event) => choose(event.target.value)}>
        {options.map((option) => (
          <option key={option.value} value={option.value}>
            {option.text}
          </option>
        ))}
      </select>
    </label>
  );
}

type SecondProps = { place: Place & Chosen; regions: readonly string[]; members: readonly string[] };

/** The same place as somebody else in the next region of the zone. */
function SecondWindow({ place, regions, members }: SecondProps) {
  const region = nextOf(regions, place.region);
  if (region === undefined || region === place.region) return null;
  const to = addressOf({ ...place, region, member: nextOf(members, place.member) ?? place.member });
  return (
    <a className="second" href={to} target="_blank" rel="noopener">
      Second window in {region} ↗
    </a>
  );
}

const nextOf = (all: readonly string[], one: string): string | undefined =>
  all[(all.indexOf(one) + 1) % all.length];
