import { CausewayError } from '@causeway/protocol';
import { addressOf, type Place } from '../place.ts';
import { inWords } from '../words.ts';
import type { Session } from './use-session.ts';

type Props = {
  session: Session;
  place: Place;
  /** Other regions that serve the workspace. */
  elsewhere: readonly string[];
};

/** Why there is nothing to see yet, and where to go instead. */
export function NotSignedIn({ session, place, elsewhere }: Props) {
  const error = 'error' in session ? session.error : undefined;
  if (error === undefined)
    return (
      <main className="alone">
        <p role="status">Signing in …</p>
      </main>
    );
  return (
    <main className="alone">
      <p className="notice warn" role="alert">
        {error instanceof CausewayError ? inWords(error) : error}
      </p>
      {elsewhere.map((region) => (
        <p key={region} className="edge">
          <a href={addressOf({ ...place, region })}>Open it in {region}</a>
        </p>
      ))}
    </main>
  );
}
