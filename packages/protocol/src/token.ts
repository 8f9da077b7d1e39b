import type { Token } from './commands.ts';
import { CausewayError } from './errors.ts';
import { base64url, fromBase64url } from './ids.ts';
import { LIMITS } from './limits.ts';
import { isDocument, parseName } from './names.ts';

/**
 * A token as text, for addresses: base64url of JSON, `[document, client, clock]` and
 * `[scope, key, v]` in one list. A list of both kinds may be made of several tokens.
 */
export function encodeToken(token: Token): string {
  const entries = token.map((entry) =>
    'document' in entry ? [entry.document, entry.client, entry.clock] : [entry.scope, entry.key, entry.v],
  );
  return base64url(new TextEncoder().encode(JSON.stringify(entries)));
}

/** Reads what `encodeToken` wrote; throws `invalid-request` for anything else. */
export function decodeToken(text: string): Token {
  let entries: unknown;
  try {
    entries = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(fromBase64url(text)));
  } catch {
    throw notAToken();
  }
  if (!Array.isArray(entries)) throw notAToken();
  return checkToken(
    entries.map((entry: unknown) => {
      if (!Array.isArray(entry) || entry.length !== 3) throw notAToken();
      const [name, second, third] = entry as unknown[];
      return (
        typeof second === 'number'
          ? { document: name, client: second, clock: third }
          : { scope: name, key: second, v: third }
      ) as Token[number];
    }),
  );
}

/** Returns the token if it is one, whoever made it; throws `invalid-request` otherwise. */
export function checkToken(token: Token): Token {
  if (token.length > LIMITS.tokenEntries)
    throw new CausewayError('invalid-request', `a token has at most ${LIMITS.tokenEntries} entries`);
  if (!token.every((entry) => ('document' in entry ? isPosition(entry) : isCell(entry)))) throw notAToken();
  return token;
}

type Position = Extract<Token[number], { document: string }>;
type Cell = Extract<Token[number], { scope: string }>;

const isPosition = ({ document, client, clock }: Position): boolean =>
  typeof document === 'string' &&
  isDocument(document) &&
  [client, clock].every((count) => Number.isSafeInteger(count) && count >= 0);

const isCell = ({ scope, key, v }: Cell): boolean =>
  [scope, key, v].every((text) => typeof text === 'string') &&
  parseName(scope) !== undefined &&
  !isDocument(scope);

const notAToken = (): CausewayError =>
  new CausewayError('invalid-request', 'this is not a token that an acknowledgement gave; read without it');
