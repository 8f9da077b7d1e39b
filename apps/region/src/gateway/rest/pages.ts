import { AfterQuery, CausewayError } from '@causeway/protocol';
import type { Before } from '@causeway/replica';
import { Type, type Static } from 'typebox';

export const PageQuery = Type.Object(
  {
    ...AfterQuery.properties,
    cursor: Type.Optional(Type.String()),
    limit: Type.Optional(Type.String({ pattern: '^[1-9][0-9]{0,2}$' })),
  },
  { additionalProperties: false },
);
export type PageQuery = Static<typeof PageQuery>;

/** The place of the last message of a page: its `t` and its id. */
const CURSOR = /^(?<t>[0-9a-z]{11}\.[0-9a-z]{1,11})~(?<id>[A-Za-z0-9_-]{22})$/;
const PAGE = { default: 50, most: 200 } as const;

export const limitOf = ({ limit }: PageQuery): number => Math.min(PAGE.most, Number(limit ?? PAGE.default));

/** Clients treat a cursor as opaque. */
export function cursorOf({ cursor }: PageQuery): Before | undefined {
  if (cursor === undefined) return undefined;
  const { t, id } = CURSOR.exec(cursor)?.groups ?? {};
  if (t === undefined || id === undefined)
    throw new CausewayError('invalid-request', 'the cursor is not one that a page gave; start without one');
  return { t, id };
}
