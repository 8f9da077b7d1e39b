import { connect, openBrowserStorage, retrying, type Client } from '@causeway/client';
import { CausewayError } from '@causeway/protocol';
import { useEffect, useState } from 'react';
import { readToken } from '../world/control.ts';

export type Session =
  | { state: 'signing-in'; error?: string | CausewayError }
  | { state: 'signed-in'; client: Client }
  | { state: 'refused'; error: string | CausewayError };

const opening = openBrowserStorage('causeway');

/** Signs in as a demo member at a region, again when one of them changes; `undefined` is nowhere. */
export function useSession(url: string | undefined, workspace: string, member: string): Session {
  const [session, setSession] = useState<Session>({ state: 'signing-in' });

  useEffect(() => {
    if (url === undefined) return;
    const over = new AbortController();
    const { signal } = over;
    let client: Client | undefined;
    const signIn = async (): Promise<void> => {
      setSession({ state: 'signing-in' });
      try {
        const storage = await opening;
        const kept = storage === undefined ? {} : { storage };
        client = await retrying(
          async () => connect({ url, token: await readToken(member, workspace), workspace, signal, ...kept }),
          {
            signal,
            random: Math.random,
            failed: (error) => setSession({ state: 'signing-in', error: wordsOf(error) }),
          },
        );
        if (signal.aborted) void client.close();
        else setSession({ state: 'signed-in', client });
      } catch (cause) {
        if (!signal.aborted) setSession({ state: 'refused', error: wordsOf(cause) });
      }
    };
    void signIn();
    return () => {
      over.abort();
      void client?.close();
    };
  }, [url, workspace, member]);

  return session;
}

/** What the control API says is in words already. */
const wordsOf = (cause: unknown): string | CausewayError =>
  cause instanceof CausewayError && cause.code !== 'internal' ? cause : (cause as Error).message;
