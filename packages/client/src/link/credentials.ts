import { CausewayError, fromBase64url } from '@causeway/protocol';
import { isRetryable } from '../retryable.ts';

/**
 * A token, or where to get one: asked when the one at hand is about to expire and when it was
 * refused. Reject with `CausewayError('unauthorized')` to say that there will be none; any other
 * rejection is asked again later.
 */
export type TokenSource = string | (() => Promise<string>);

/** What a token says of itself. Nothing of it is believed: regions verify, clients only plan with it. */
export type Claims = { member?: string; workspace?: string; expires?: number };

/** A new token is asked for this long before the old one expires, or after four fifths of its life, milliseconds. */
const LEAD_MS = 60_000;
/** Timers cannot wait longer; they are set again. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;
const AGAIN_MS = 10_000;

/** The token of one client: one for all its requests, renewed in time. */
export class Credentials {
  readonly #source: TokenSource;
  readonly #now: () => number;
  readonly #renewed: (token: string) => void;
  #token: string | undefined;
  #asking: Promise<string> | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isClosed = false;

  /** `now`: milliseconds since 1970. `renewed` is called with every token after the first one. */
  constructor(source: TokenSource, now: () => number, renewed: (token: string) => void = () => undefined) {
    this.#source = source;
    this.#now = now;
    this.#renewed = renewed;
    if (typeof source === 'string') this.#token = source;
  }

  /** The token to use now. Rejects when the source does. */
  current(): Promise<string> {
    return this.#token === undefined ? this.#ask() : Promise.resolve(this.#token);
  }

  /** The token was refused: another one, or `unauthorized` when there is none. */
  async instead(of: string): Promise<string> {
    if (this.#token !== undefined && this.#token !== of) return this.#token;
    if (typeof this.#source === 'string')
      throw new CausewayError('unauthorized', 'the token was refused; connect with another one');
    const token = await this.#ask();
    if (token !== of) return token;
    throw new CausewayError('unauthorized', 'the token was refused, and the source has no other one');
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
  }

  /** One question at a time. */
  #ask(): Promise<string> {
    const source = this.#source as () => Promise<string>;
    return (this.#asking ??= Promise.resolve()
      .then(source)
      .then((token) => {
        const isFirst = this.#token === undefined;
        const isNew = this.#token !== token;
        this.#token = token;
        this.#plan(token);
        if (!isFirst && isNew) this.#renewed(token);
        return token;
      })
      .finally(() => (this.#asking = undefined)));
  }

  #plan(token: string): void {
    clearTimeout(this.#timer);
    const { expires } = claimsOf(token);
    if (this.#isClosed || expires === undefined) return;
    const left = expires - this.#now();
    this.#wait(Math.max(AGAIN_MS, left - Math.min(LEAD_MS, left / 5)));
  }

  #wait(ms: number): void {
    this.#timer = setTimeout(
      () => {
        if (ms > LONGEST_TIMER_MS) return this.#wait(ms - LONGEST_TIMER_MS);
        this.#ask().catch((cause: unknown) => {
          // Refused for good: what is left of the old one is used up, and then its refusal says so.
          const isOver = cause instanceof CausewayError && !isRetryable(cause);
          if (!isOver && !this.#isClosed) this.#wait(AGAIN_MS);
        });
      },
      Math.min(ms, LONGEST_TIMER_MS),
    );
  }
}

/** Reads what a token says; nothing when it is not a JWT. */
export function claimsOf(token: string): Claims {
  try {
    const text = new TextDecoder().decode(fromBase64url(token.split('.')[1]!));
    const { sub, ws, exp } = JSON.parse(text) as Record<string, unknown>;
    return {
      ...(typeof sub === 'string' ? { member: sub } : {}),
      ...(typeof ws === 'string' ? { workspace: ws } : {}),
      ...(typeof exp === 'number' ? { expires: exp * 1_000 } : {}),
    };
  } catch {
    return {};
  }
}
