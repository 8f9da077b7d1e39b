import { ChangeBody, CausewayError } from '@causeway/protocol';
import { Type, type Static } from 'typebox';
import { IfMatch, change, changeChannel, etagOf } from './change.ts';
import { bodyMayBeAbsent, channelOf, sceneOf, type Routes } from './command.ts';

const Member = Type.String({ pattern: '^[A-Za-z0-9_-]{1,64}$' });
const WorkspaceParams = Type.Object({ workspace: Type.String() });
const MemberParams = Type.Object({ ...WorkspaceParams.properties, member: Member });
const ChannelParams = Type.Object({ ...WorkspaceParams.properties, channel: Type.String() });
const ChannelMemberParams = Type.Object({ ...ChannelParams.properties, member: Member });

const MEMBERS = '/workspaces/:workspace/members';
const CHANNEL_MEMBERS = '/workspaces/:workspace/channels/:channel/members';

/** Who is in a private channel, and who is a member of the workspace at all. */
export const membershipRoutes: Routes = (server, parts) => {
  server.get<{ Params: Static<typeof WorkspaceParams> }>(
    MEMBERS,
    { schema: { summary: 'Admins, and for admins who was removed', params: WorkspaceParams } },
    async (request, reply) => {
      const { workspace, replica, member } = await sceneOf(parts, request, request.params.workspace);
      const state = await replica.strong.state(workspace.id);
      void reply.header('etag', etagOf(state.version));
      return { admins: state.admins, ...(state.isAdmin(member) ? { removed: state.removed } : {}) };
    },
  );

  for (const [method, kind, summary] of [
    ['DELETE', 'remove-member', 'Remove a member from the workspace; admins only'],
    ['PUT', 'return-member', 'Let a removed member return; admins only'],
  ] as const)
    server.route<{ Params: Static<typeof MemberParams>; Body: ChangeBody }>({
      method,
      url: `${MEMBERS}/:member`,
      schema: { summary, params: MemberParams, headers: IfMatch, body: ChangeBody },
      preValidation: bodyMayBeAbsent,
      handler: async (request, reply) => {
        const scene = await sceneOf(parts, request, request.params.workspace);
        const { member } = request.params;
        return change(parts, scene, request, reply, { kind, member });
      },
    });

  server.get<{ Params: Static<typeof ChannelParams> }>(
    CHANNEL_MEMBERS,
    { schema: { summary: 'Who is in a private or direct channel', params: ChannelParams } },
    async (request, reply) => {
      const scene = await sceneOf(parts, request, request.params.workspace);
      const { members } = await channelOf(parts, scene, request.params.channel);
      if (members === undefined)
        throw new CausewayError('invalid-request', 'everybody in the workspace sees a public channel');
      const { version } = await scene.replica.strong.state(scene.workspace.id);
      void reply.header('etag', etagOf(version));
      return { items: members };
    },
  );

  server.put<{ Params: Static<typeof ChannelMemberParams>; Body: ChangeBody }>(
    `${CHANNEL_MEMBERS}/:member`,
    {
      schema: {
        summary: 'Invite into a private channel',
        params: ChannelMemberParams,
        headers: IfMatch,
        body: ChangeBody,
      },
      preValidation: bodyMayBeAbsent,
    },
    async (request, reply) => {
      const scene = await sceneOf(parts, request, request.params.workspace);
      const members = [request.params.member];
      return changeChannel(parts, scene, request, reply, (channel) => ({ kind: 'invite', channel, members }));
    },
  );

  server.delete<{ Params: Static<typeof ChannelMemberParams>; Body: ChangeBody }>(
    `${CHANNEL_MEMBERS}/:member`,
    {
      schema: {
        summary: 'Leave a private channel, or remove another one from it',
        params: ChannelMemberParams,
        headers: IfMatch,
        body: ChangeBody,
      },
      preValidation: bodyMayBeAbsent,
    },
    async (request, reply) => {
      const scene = await sceneOf(parts, request, request.params.workspace);
      const { member } = request.params;
      return changeChannel(parts, scene, request, reply, (channel) =>
        member === scene.member ? { kind: 'leave', channel } : { kind: 'remove', channel, member },
      );
    },
  );
};
