import type { CausewayError, ErrorCode } from '@causeway/protocol';

const WORDS: Record<ErrorCode, string> = {
  'invalid-request': 'The region did not understand this. Reload the page; it may be older than the region.',
  'invalid-json': 'The region did not understand this. Reload the page; it may be older than the region.',
  'malformed-frame': 'The connection carried something unreadable. Reload the page.',
  'frame-too-large': 'That was too much at once. Paste it in smaller pieces.',
  'body-too-large': 'The text is too long. Shorten it to 40,000 characters.',
  'clock-ahead': 'The clock of this computer was ahead of the region. Try again.',
  'id-mismatch': 'The region did not recognise the message. Reload the page.',
  'read-only': 'This is written by commands only. Reload the page.',
  'unauthorized': 'The sign-in is not valid any more. Reload the page to sign in again.',
  'forbidden': 'This member may not do that here. Choose another member or workspace.',
  'not-found': 'There is nothing of that name here. Choose another one.',
  'gone': 'The message was deleted, so there is nothing left to change.',
  'too-many-edits': 'This message was edited 200 times, and cannot be edited again. Write a new one.',
  'too-many': 'There is no room for one more. Remove another one first.',
  'archived': 'This channel is archived. Write in another one, or bring it back first.',
  'name-taken': 'Another channel goes by this name. Choose another one.',
  'version-moved': 'Somebody changed this meanwhile. Look again, then decide.',
  'not-here-yet': 'This region does not have it yet. It comes as soon as the link to the other region is up.',
  'rate-limited': 'Too much at once. It goes on in a moment.',
  'not-committed': 'The region has not confirmed it. It is sent again until it does.',
  'not-ready': 'The region does not answer. Trying again; or open this workspace in another region.',
  'too-slow': 'This window fell behind. It catches up by itself.',
  'not-replicated': 'It is stored in this region, and in no other one so far. It is sent again until it is.',
  'no-directory': 'Members and channels cannot be changed at the moment. Messages go on; try again later.',
  'no-peer': 'Members and channels cannot be changed at the moment. Messages go on; try again later.',
  'document-too-large': 'The canvas is full. Begin another one.',
  'superseded': 'This canvas was begun anew. Open it from the list.',
  'shutting-down': 'The region is stopping. Trying again; or open this workspace in another region.',
  'elsewhere': 'This workspace is kept in other regions. Choose one of those.',
  'internal': 'Something broke in the region. Trying again.',
};

/** What happened and what to do, for the person who reads it. */
export const inWords = ({ code }: CausewayError): string => WORDS[code];

const time = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' });
const moment = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' });
const day = new Intl.DateTimeFormat(undefined, { weekday: 'long', day: 'numeric', month: 'long' });

export const timeOfDay = (ms: number): string => time.format(ms);
export const exactTime = (ms: number): string => moment.format(ms);
export const dayOf = (ms: number): string => day.format(ms);

/** "3 replies", "1 reply". */
export const counted = (count: number, one: string, many: string): string =>
  `${count} ${count === 1 ? one : many}`;

/** A duration a person can compare at a glance. */
export const briefly = (ms: number): string =>
  ms < 1_000
    ? `${Math.round(ms)} ms`
    : ms < 90_000
      ? `${Math.round(ms / 1_000)} s`
      : `${Math.round(ms / 60_000)} min`;
