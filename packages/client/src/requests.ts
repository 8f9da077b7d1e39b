import type { ChangeCommand, Command } from '@causeway/protocol';

/** A request of the REST door: `path` behind `/v1`, and the fields of its body beside nonce and id. */
export type Request = { method: string; path: string; fields: Record<string, unknown> };

/** Where a command goes. */
export function requestOf(command: Command): Request {
  const workspace = pathOf('workspaces', command.workspace);
  if ('channel' in command)
    return requestInChannel(command, `${workspace}${pathOf('channels', command.channel)}`);
  if ('canvas' in command)
    return requestOnCanvas(command, `${workspace}${pathOf('canvases', command.canvas)}`);
  const { v } = command;
  switch (command.kind) {
    case 'canvas':
      return { method: 'POST', path: `${workspace}/canvases`, fields: { title: command.title, v } };
    case 'direct':
      return { method: 'POST', path: `${workspace}/direct`, fields: { members: command.members, v } };
    case 'availability': {
      const { mode, until } = command;
      return { method: 'PUT', path: `${workspace}/availability`, fields: { mode, until, v } };
    }
    case 'schedule': {
      const { at, post } = command;
      const { channel, body, thread, also, nonce } = post;
      const fields = { channel, body, thread, also, postNonce: nonce, at, v };
      return { method: 'POST', path: `${workspace}/scheduled`, fields };
    }
    case 'unschedule':
      return { method: 'DELETE', path: `${workspace}${pathOf('scheduled', command.post)}`, fields: { v } };
  }
}

function requestInChannel(command: Extract<Command, { channel: string }>, channel: string): Request {
  const switched = (on: boolean, path: string, v: number): Request => ({
    method: on ? 'PUT' : 'DELETE',
    path: `${channel}${path}`,
    fields: { v },
  });
  switch (command.kind) {
    case 'post': {
      const { body, thread, also } = command;
      return { method: 'POST', path: `${channel}/messages`, fields: { body, thread, also } };
    }
    case 'topic':
      return { method: 'PUT', path: `${channel}/topic`, fields: { topic: command.topic, v: command.v } };
    case 'purpose':
      return {
        method: 'PUT',
        path: `${channel}/purpose`,
        fields: { purpose: command.purpose, v: command.v },
      };
    case 'read':
      return { method: 'PUT', path: `${channel}/read`, fields: { markers: command.markers } };
    case 'unread':
      return { method: 'PUT', path: `${channel}/unread`, fields: { message: command.message, v: command.v } };
    case 'draft': {
      const { thread, body, v } = command;
      return { method: 'PUT', path: `${channel}/draft`, fields: { thread, body, v } };
    }
    case 'join':
      return switched(command.on, '/joined', command.v);
    case 'mute':
      return switched(command.on, '/muted', command.v);
    case 'star':
      return switched(command.on, '/starred', command.v);
    case 'edit': {
      const { message, body, v } = command;
      return { method: 'PATCH', path: `${channel}${pathOf('messages', message)}`, fields: { body, v } };
    }
    case 'delete':
      return { method: 'DELETE', path: `${channel}${pathOf('messages', command.message)}`, fields: {} };
    case 'pin':
      return switched(command.on, pathOf('messages', command.message, 'pin'), command.v);
    case 'follow':
      return switched(command.on, pathOf('messages', command.message, 'follow'), command.v);
    case 'react': {
      const { message, emoji, on, v } = command;
      return switched(on, pathOf('messages', message, 'reactions', emoji), v);
    }
  }
}

function requestOnCanvas(command: Extract<Command, { canvas: string }>, canvas: string): Request {
  const { v } = command;
  switch (command.kind) {
    case 'retitle':
      return { method: 'PUT', path: `${canvas}/title`, fields: { title: command.title, v } };
    case 'share':
      return {
        method: 'PUT',
        path: `${canvas}${pathOf('rights', command.to)}`,
        fields: { right: command.right, v },
      };
    case 'version':
      return { method: 'POST', path: `${canvas}/versions`, fields: { title: command.title, v } };
    case 'restore':
      return {
        method: 'POST',
        path: `${canvas}${pathOf('versions', command.version, 'restore')}`,
        fields: { v },
      };
  }
}

/** Where a strong change goes; the door takes one invitation at a time. */
export function requestOfChange({ workspace, member, deed }: ChangeCommand): Request {
  const base = pathOf('workspaces', workspace);
  const inChannel = (channel: string, ...more: string[]): string =>
    `${base}${pathOf('channels', channel, ...more)}`;
  switch (deed.kind) {
    case 'create-channel': {
      const { slug, private: isPrivate, members } = deed;
      return { method: 'POST', path: `${base}/channels`, fields: { slug, private: isPrivate, members } };
    }
    case 'rename-channel':
      return { method: 'PATCH', path: inChannel(deed.channel), fields: { slug: deed.slug } };
    case 'archive-channel':
      return { method: deed.on ? 'PUT' : 'DELETE', path: inChannel(deed.channel, 'archived'), fields: {} };
    case 'invite':
      return { method: 'PUT', path: inChannel(deed.channel, 'members', deed.members[0]!), fields: {} };
    case 'leave':
      return { method: 'DELETE', path: inChannel(deed.channel, 'members', member), fields: {} };
    case 'remove':
      return { method: 'DELETE', path: inChannel(deed.channel, 'members', deed.member), fields: {} };
    case 'remove-member':
    case 'return-member': {
      const method = deed.kind === 'remove-member' ? 'DELETE' : 'PUT';
      return { method, path: `${base}${pathOf('members', deed.member)}`, fields: {} };
    }
  }
}

export const pathOf = (...parts: string[]): string =>
  parts.map((part) => `/${encodeURIComponent(part)}`).join('');
