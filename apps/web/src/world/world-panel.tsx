import { useState } from 'react';
import { briefly, counted } from '../words.ts';
import { steerLink, type WorldRegion } from './control.ts';
import { hearingOf, type PeerHearing } from './hearing.ts';
import { linksOf, type Link } from './links.ts';
import type { WorldView } from './use-world.ts';

type Props = { view: WorldView; here: string; look(): void };

/** The regions, what each hears from the others, and the links between them. */
export function WorldPanel({ view: { world, error }, here, look }: Props) {
  return (
    <aside className="world" aria-label="The world">
      <h2>The world</h2>
      {error === undefined ? null : (
        <p className="notice bad" role="alert">
          {error}
        </p>
      )}
      <ul className="cards">
        {world?.regions.map((region) => (
          <RegionCard key={region.region} region={region} here={region.region === here} />
        ))}
      </ul>
      <h3>Links</h3>
      <ul className="links">
        {linksOf(world?.links ?? []).map((link) => (
          <LinkRow key={`${link.a} ${link.b}`} link={link} look={look} />
        ))}
      </ul>
      <p className="hint">
        Cut a link and write on both sides: each region goes on by itself. Heal it, and both have everything.
      </p>
    </aside>
  );
}

type CardProps = { region: WorldRegion; here: boolean };

function RegionCard({ region: of, here }: CardProps) {
  const { region, ready, parts, zones } = of;
  const { peers, publishesWaiting } = hearingOf(of, Date.now());
  const down = Object.entries(parts).filter(([, { state }]) => !['ready', 'external', 'off'].includes(state));
  return (
    <li className={here ? 'card here' : 'card'} data-region={region}>
      <div className="row">
        <span className={ready ? 'dot good' : 'dot bad'} aria-hidden="true" />
        <strong>{region}</strong>
        {here ? <span className="tag">this window</span> : null}
        <span className="state">{ready ? 'ready' : 'not ready'}</span>
      </div>
      <p className="faint">zones {zones.join(', ')}</p>
      {down.map(([part, { state }]) => (
        <p key={part} className="bad">
          {part} is {state}
        </p>
      ))}
      {peers.map((peer) => (
        <Peer key={peer.peer} {...peer} />
      ))}
      {publishesWaiting > 0 ? (
        <p className="warn">{counted(publishesWaiting, 'change waits', 'changes wait')} for its broker</p>
      ) : null}
    </li>
  );
}

/** Heartbeats come once a second; three missed ones are a silence. */
const SILENCE_MS = 3_500;

function Peer({ peer, connected, lagMs, silentMs }: PeerHearing) {
  if (lagMs === undefined || silentMs === undefined) return <p className="faint">has not heard {peer} yet</p>;
  if (!connected || silentMs > SILENCE_MS)
    return (
      <p className="bad">
        has not heard {peer} for {briefly(silentMs)}
      </p>
    );
  return (
    <p className="faint">
      hears {peer} after <b>{briefly(lagMs)}</b>
    </p>
  );
}

function LinkRow({ link: { a, b, delayMs, cut }, look }: { link: Link; look(): void }) {
  const [error, setError] = useState<string>();
  const [busy, setBusy] = useState(false);
  const steer = async (): Promise<void> => {
    setBusy(true);
    try {
      await steerLink(cut ? 'heal' : 'cut', a, b);
      setError(undefined);
    } catch (cause) {
      setError((cause as Error).message);
    }
    setBusy(false);
    look();
  };
  const action = cut ? 'Heal' : 'Cut';
  return (
    <li className={cut ? 'link cut' : 'link'}>
      <span className="ends">
        {a} <span aria-hidden="true">{cut ? '⇹' : '⇄'}</span> {b}
      </span>
      <span className="state">{cut ? 'cut' : `${Math.round(delayMs)} ms`}</span>
      <button
        type="button"
        className={cut ? 'primary' : ''}
        disabled={busy}
        onClick={() => void steer()}
        aria-label={`${action} the link between ${a} and ${b}`}
      >
        {action}
      </button>
      {error === undefined ? null : <p className="bad">{error}</p>}
    </li>
  );
}
