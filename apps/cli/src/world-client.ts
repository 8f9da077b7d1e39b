import {
  homeOf,
  runningWorld,
  type Claim,
  type LinksRequest,
  type PartsRequest,
  type RebuildLine,
  type WorldStatus,
} from '@causeway/local';
import { Failure } from './failure.ts';

/** The control API of a world that runs in another process. */
export type WorldClient = {
  readonly claim: Claim;
  status(): Promise<WorldStatus>;
  links(request: LinksRequest): Promise<WorldStatus['links']>;
  /** Resolves when it is done: after a restart, when all is ready. */
  parts(request: PartsRequest): Promise<void>;
  /** Resolves when the region is ready again. */
  wipe(region: string): Promise<void>;
  /** Hands on each line of what the rebuild says, and resolves at its end. */
  rebuild(region: string, onLine: (line: string) => void): Promise<void>;
  token(query: TokenQuery): Promise<string>;
  down(): Promise<void>;
  /** Whether its process is there. */
  runs(): boolean;
};

export type TokenQuery = { member: string; workspace?: string; region?: string; ttlSeconds?: number };

const ANSWER_WITHIN_MS = 10_000;
/** Longer than the world waits for Postgres, NATS and servers. */
const STARTED_WITHIN_MS = 180_000;

/** The world on `CAUSEWAY_HOME`; fails when none runs there. */
export function findWorld(env: Readonly<Record<string, string | undefined>>): WorldClient {
  const home = homeOf(env);
  const claim = runningWorld(home);
  if (claim === undefined) throw new Failure(`No world runs on ${home}. Start one: npm start`);
  const ask = async <T>(path: string, body?: object, withinMs = ANSWER_WITHIN_MS): Promise<T> =>
    (await (await request(claim, path, body, AbortSignal.timeout(withinMs))).json()) as T;
  return {
    claim,
    status: () => ask('/world/status'),
    links: async (request) => (await ask<{ links: WorldStatus['links'] }>('/world/links', request)).links,
    parts: (request) => ask('/world/parts', request, STARTED_WITHIN_MS),
    wipe: (region) => ask('/world/wipe', { region }, STARTED_WITHIN_MS),
    async rebuild(region, onLine) {
      const answer = await request(claim, '/world/rebuild', { region });
      for await (const text of linesOf(answer)) {
        const said = JSON.parse(text) as RebuildLine;
        if ('done' in said) return;
        if ('error' in said) throw new Failure(said.error);
        onLine(said.line);
      }
      throw new Failure('The world ended, and nobody can say whether the rebuild was finished.');
    },
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
async function request(
  { url, pid }: Claim,
  path: string,
  body?: object,
  signal?: AbortSignal,
): Promise<Response> {
  const answer = await fetch(`${url}${path}`, {
    ...(signal === undefined ? {} : { signal }),
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
  if (answer.ok) return answer;
  const { error } = (await answer.json()) as { error?: string };
  throw new Failure(
    error ?? `The world answered ${answer.status}.`,
    answer.status === 400 ? 'wrong-use' : 'failed',
  );
}

/** The lines of an answer as they come; an answer that breaks off ends them. */
async function* linesOf(answer: Response): AsyncGenerator<string> {
  let rest = '';
  try {
    for await (const text of answer.body!.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + text).split('\n');
      rest = lines.pop()!;
      yield* lines;
    }
  } catch (cause) {
    if (cause instanceof TypeError) return;
    throw cause;
  }
}
