import { homeOf, runningWorld, type Claim, type LinksRequest, type WorldStatus } from '@causeway/local';
import { Failure } from './failure.ts';

/** The control API of a world that runs in another process. */
export type WorldClient = {
  readonly claim: Claim;
  status(): Promise<WorldStatus>;
  links(request: LinksRequest): Promise<WorldStatus['links']>;
  token(query: TokenQuery): Promise<string>;
  down(): Promise<void>;
  /** Whether its process is there. */
  runs(): boolean;
};

export type TokenQuery = { member: string; workspace?: string; region?: string; ttlSeconds?: number };

const ANSWER_WITHIN_MS = 10_000;

/** The world on `CAUSEWAY_HOME`; fails when none runs there. */
export function findWorld(env: Readonly<Record<string, string | undefined>>): WorldClient {
  const home = homeOf(env);
  const claim = runningWorld(home);
  if (claim === undefined) throw new Failure(`No world runs on ${home}. Start one: npm start`);
  const ask = <T>(path: string, body?: object): Promise<T> => request(claim, path, body);
  return {
    claim,
    status: () => ask('/world/status'),
    links: async (request) => (await ask<{ links: WorldStatus['links'] }>('/world/links', request)).links,
    async token({ member, workspace, region, ttlSeconds }) {
      const query = new URLSearchParams({
        member,
        ...(workspace === undefined ? {} : { workspace }),
        ...(region === undefined ? {} : { region }),
        ...(ttlSeconds === undefined ? {} : { ttl: String(ttlSeconds) }),
      });
      return (await ask<{ token: string }>(`/world/token?${query.toString()}`)).token;
    },
    down: () => ask('/world/down', {}),
    runs: () => runningWorld(home)?.pid === claim.pid,
  };
}

/** GET, or POST when there is a body. What the world calls a wrong request is a wrong use of ours. */
async function request<T>({ url, pid }: Claim, path: string, body?: object): Promise<T> {
  const answer = await fetch(`${url}${path}`, {
    signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
    ...(body === undefined
      ? {}
      : { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
  }).catch((cause: unknown) => {
    throw new Failure(
      `The world (pid ${pid}) does not answer at ${url}: it is starting or stopping. ` +
        'Try again in a moment, or end it: npx causeway down',
      'failed',
      { cause },
    );
  });
  const said = (await answer.json()) as { error?: string };
  if (answer.ok) return said as T;
  throw new Failure(
    said.error ?? `The world answered ${answer.status}.`,
    answer.status === 400 ? 'wrong-use' : 'failed',
  );
}
