import { CausewayError } from '@causeway/protocol';
import { Bucket, Buckets } from '../rate-limit.ts';
import type { Identity } from '../tokens.ts';

/** Requests through any door of this process: on average this many a second, and this many at once. */
const PER_SESSION = { perSecond: 100, burst: 1_000 } as const;
const PER_MEMBER = { perSecond: 200, burst: 2_000 } as const;
const PER_WORKSPACE = { perSecond: 5_000, burst: 20_000 } as const;

/** What one session, one member and one workspace may ask of this process; what is refused costs nothing of the rest. */
export class RateLimits {
  readonly #members = new Buckets(PER_MEMBER.perSecond, PER_MEMBER.burst);
  readonly #workspaces = new Buckets(PER_WORKSPACE.perSecond, PER_WORKSPACE.burst);

  /** For one socket. */
  session(): Bucket {
    return new Bucket(PER_SESSION.perSecond, PER_SESSION.burst, Date.now());
  }

  /** Throws `rate-limited` with the seconds after which the request may come again. */
  take({ workspace, member }: Identity, session?: Bucket): void {
    const now = Date.now();
    if (session !== undefined) mustHave(session, PER_SESSION.perSecond, 'one connection', now);
    mustHave(this.#members.of(`${workspace}/${member}`, now), PER_MEMBER.perSecond, 'one member', now);
    mustHave(this.#workspaces.of(workspace, now), PER_WORKSPACE.perSecond, 'one workspace', now);
  }
}

function mustHave(bucket: Bucket, perSecond: number, whose: string, now: number): void {
  if (bucket.take(1, now)) return;
  throw new CausewayError('rate-limited', `at most ${perSecond} requests a second for ${whose}`, {
    retryAfter: Math.max(1, bucket.wait(1)),
  });
}
