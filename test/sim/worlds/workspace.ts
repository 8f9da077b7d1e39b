import { canvasName, canvasesScope, channelScope, directChannel, memberScope } from '@causeway/protocol';

/** The workspace of every world. */
export const WORKSPACE = 'acme';
export const CHANNELS = ['general', 'random'];
export const MEMBERS = ['ada', 'bob', 'cyd'];
export const CANVASES = [canvasName(WORKSPACE, 'plan'), canvasName(WORKSPACE, 'notes')];

/** Where the cells of this workspace are, those of messages apart. */
export const SCOPES = [
  canvasesScope(WORKSPACE),
  ...CHANNELS.map((channel) => channelScope(WORKSPACE, channel)),
  ...MEMBERS.map((member) => memberScope(WORKSPACE, member)),
  ...[MEMBERS, ...MEMBERS.map((left) => MEMBERS.filter((member) => member !== left))].map((members) =>
    channelScope(WORKSPACE, directChannel(WORKSPACE, members)),
  ),
];
