import type { StoredUpTo } from '@causeway/replica';

/** Reads a peer's report; undefined when it is none. */
export function readReport(bytes: Uint8Array): StoredUpTo | undefined {
  let said: unknown;
  try {
    said = JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return undefined;
  }
  if (!isReport(said)) return undefined;
  const { region, incarnation, sequence, messageId } = said;
  return { region, incarnation, sequence, messageId };
}

const isReport = (said: unknown): said is StoredUpTo =>
  typeof said === 'object' &&
  said !== null &&
  'region' in said &&
  typeof said.region === 'string' &&
  'incarnation' in said &&
  typeof said.incarnation === 'string' &&
  'sequence' in said &&
  Number.isSafeInteger(said.sequence) &&
  'messageId' in said &&
  typeof said.messageId === 'string';
