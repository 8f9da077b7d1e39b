import type { AvailabilityMode, Presence } from '@causeway/protocol';

/** What a session or a member is, the strongest last: the number is the wire form. */
export const STATE = { offline: 0, idle: 1, online: 2, away: 3, dnd: 4 } as const;
export type State = (typeof STATE)[keyof typeof STATE];

/** As members are shown: whether somebody is away by hand or by not being there is their own business. */
export const shown = (state: State): Presence['state'] => SHOWN[state];
const SHOWN: Readonly<Record<State, Presence['state']>> = ['offline', 'away', 'online', 'away', 'dnd'];

export const isState = (number: number): number is State => number >= 0 && number <= STATE.dnd;

export const stateOfSession = (mode: AvailabilityMode, isIdle: boolean): State => {
  if (mode !== 'auto') return STATE[mode];
  return isIdle ? STATE.idle : STATE.online;
};

export const memberKey = (workspace: string, member: string): string => `${workspace}/${member}`;
