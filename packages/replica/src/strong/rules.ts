import { CausewayError, LIMITS, type ChangeCommand, type DeedOf } from '@causeway/protocol';
import type { ChannelState, WorkspaceState } from './state.ts';

/**
 * May the member of this command have it carried out on this state? That nothing would change is no reason
 * to refuse: it is as it was asked to be. Throws `forbidden`, `not-found` (also for what he may not see),
 * `archived`, `name-taken`, `too-many` or `invalid-request`.
 */
export function mayChange(state: WorkspaceState, { member: by, deed }: ChangeCommand): void {
  if (!state.isMember(by)) throw new CausewayError('forbidden', 'you are not a member of this workspace');
  switch (deed.kind) {
    case 'create-channel':
      return creates(state, deed);
    case 'rename-channel':
      return renames(state, by, deed);
    case 'archive-channel':
      return void seen(state, by, deed.channel);
    case 'invite':
      return invites(state, by, deed);
    case 'leave':
    case 'remove':
      return void privateOne(state, by, deed.channel);
    case 'remove-member':
      return removes(state, by, deed.member);
    case 'return-member':
      return mustBeAdmin(state, by);
  }
}

function creates(state: WorkspaceState, deed: DeedOf<'create-channel'>): void {
  mustBeFree(state, deed.slug);
  if (!deed.private && deed.members.length > 0)
    throw new CausewayError('invalid-request', 'a public channel has no list of members: everybody sees it');
  if (state.size >= LIMITS.channelsPerWorkspace)
    throw new CausewayError(
      'too-many',
      `a workspace has at most ${LIMITS.channelsPerWorkspace} channels, archived ones included`,
    );
  mustBeMembers(state, deed.members);
}

function renames(state: WorkspaceState, by: string, { channel: id, slug }: DeedOf<'rename-channel'>): void {
  const channel = seen(state, by, id);
  if (channel.slug === slug) return;
  if (channel.archived)
    throw new CausewayError('archived', 'bring the channel back before you give it another name');
  mustBeFree(state, slug);
}

function invites(state: WorkspaceState, by: string, { channel: id, members }: DeedOf<'invite'>): void {
  const channel = privateOne(state, by, id);
  const fresh = members.filter((member) => !channel.members.has(member));
  if (fresh.length === 0) return;
  if (channel.archived)
    throw new CausewayError('archived', 'bring the channel back before you invite anybody');
  mustBeMembers(state, fresh);
  if (channel.members.size + fresh.length > LIMITS.membersPerChannel)
    throw new CausewayError('too-many', `a private channel has at most ${LIMITS.membersPerChannel} members`);
}

function removes(state: WorkspaceState, by: string, member: string): void {
  mustBeAdmin(state, by);
  if (state.isAdmin(member) && state.admins.length === 1)
    throw new CausewayError('forbidden', 'the last admin of a workspace cannot be removed');
}

/** A channel that the member may see. */
function seen(state: WorkspaceState, by: string, id: string): ChannelState {
  const channel = state.channel(id);
  if (channel?.id !== id || !state.sees(by, channel)) throw noChannel(id);
  return channel;
}

function privateOne(state: WorkspaceState, by: string, id: string): ChannelState {
  const channel = seen(state, by, id);
  if (!channel.private)
    throw new CausewayError(
      'invalid-request',
      'everybody sees a public channel; join or leave it by yourself',
    );
  return channel;
}

export const noChannel = (slugOrId: string): CausewayError =>
  new CausewayError('not-found', `there is no channel "${slugOrId}" here`);

function mustBeFree(state: WorkspaceState, slug: string): void {
  if (state.channel(slug) !== undefined)
    throw new CausewayError('name-taken', `another channel goes by "${slug}", or did when it was archived`);
}

function mustBeAdmin(state: WorkspaceState, by: string): void {
  if (!state.isAdmin(by))
    throw new CausewayError('forbidden', 'only admins decide who is a member of the workspace');
}

function mustBeMembers(state: WorkspaceState, members: readonly string[]): void {
  const stranger = members.find((member) => !state.isMember(member));
  if (stranger !== undefined)
    throw new CausewayError('invalid-request', `${stranger} was removed from this workspace`);
}
