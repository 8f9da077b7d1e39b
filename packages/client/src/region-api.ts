import {
  CausewayError,
  ERRORS,
  commandId,
  encodeToken,
  type Ack,
  type Canvas,
  type Command,
  type ErrorCode,
  type Message,
  type Page,
  type Problem,
  type Token,
} from '@causeway/protocol';

import type { Credentials } from './link/credentials.ts';

export type ChannelName = {
  id: string;
  slug: string;
  /** Public when absent. */
  kind?: 'public' | 'private' | 'direct';
};
/** What a region says of a workspace. */
export type WorkspaceInfo = {
  id: string;
  slug: string;
  name: string;
  zone: string;
  home: string;
  channels: ChannelName[];
  /** Who the token speaks for. */
  member: string;
  clock: number;
};
/** What a region says of a channel. */
export type ChannelInfo = ChannelName & {
  topic?: string;
  newestSegment: number;
  /** Your read markers. */
  markers: { segment: number; client: number; clock: number }[];
};

export type RegionApiOptions = {
  /** The region, e.g. `http://127.0.0.1:4101`. */
  url: string;
  token: string | Credentials;
  fetch?: typeof fetch;
  /** The server's hybrid time, from every answer that carries it. */
  told?(clock: number): void;
};

/** How long an answer may take, milliseconds. */
const PATIENCE_MS = 10_000;

/**
 * The REST door of one region. Rejects with `CausewayError` only: what the region said, or a
 * retryable one when it did not answer. The token goes into a header and nowhere else.
 */
export class RegionApi {
  readonly #options: RegionApiOptions;

  constructor(options: RegionApiOptions) {
    this.#options = options;
  }

  workspace(workspace: string, signal?: AbortSignal): Promise<WorkspaceInfo> {
    return this.#read(pathOf('workspaces', workspace), signal);
  }

  channel(workspace: string, channel: string, signal?: AbortSignal): Promise<ChannelInfo> {
    return this.#read(pathOf('workspaces', workspace, 'channels', channel), signal);
  }

  /**
   * Up to `limit` messages (at most 200), newest first; `cursor` is the `next` of another page. With
   * `after`, the token of any region's acknowledgement, the page shows that write, or this rejects
   * with `not-here-yet` when it does not come within a few seconds.
   */
  messages(
    workspace: string,
    channel: string,
    { cursor, limit, after }: { cursor?: string; limit: number; after?: Token },
    signal?: AbortSignal,
  ): Promise<Page<Message>> {
    const query = new URLSearchParams({
      limit: String(limit),
      ...(cursor === undefined ? {} : { cursor }),
      ...(after === undefined ? {} : { after: encodeToken(after) }),
    });
    return this.#read(`${pathOf('workspaces', workspace, 'channels', channel, 'messages')}?${query}`, signal);
  }

  async canvases(workspace: string, signal?: AbortSignal): Promise<Canvas[]> {
    const { items } = await this.#read<{ items: Canvas[] }>(
      pathOf('workspaces', workspace, 'canvases'),
      signal,
    );
    return items;
  }

  /** Sends a command. A repeat is the same request to the letter, and has the effect of one (R4). */
  execute(command: Command, signal?: AbortSignal): Promise<Ack> {
    const { method, path, fields } = requestOf(command);
    const body = { ...fields, nonce: command.nonce, id: commandId(command) };
    return this.#request(method, path, JSON.stringify(body), signal);
  }

  #read<T>(path: string, signal: AbortSignal | undefined): Promise<T> {
    return this.#request('GET', path, undefined, signal);
  }

  async #request<T>(
    method: string,
    path: string,
    body: string | undefined,
    signal: AbortSignal | undefined,
  ): Promise<T> {
    const { token } = this.#options;
    if (typeof token === 'string') return this.#send(method, path, body, signal, token);
    const shown = await token.current();
    try {
      return await this.#send<T>(method, path, body, signal, shown);
    } catch (cause) {
      if (!(cause instanceof CausewayError) || cause.code !== 'unauthorized') throw cause;
      return this.#send(method, path, body, signal, await token.instead(shown));
    }
  }

  async #send<T>(
    method: string,
    path: string,
    body: string | undefined,
    signal: AbortSignal | undefined,
    token: string,
  ): Promise<T> {
    const { url, told, fetch: send = globalThis.fetch } = this.#options;
    const silence = new AbortController();
    const either = signal === undefined ? silence.signal : AbortSignal.any([signal, silence.signal]);
    const patience = setTimeout(() => silence.abort(), PATIENCE_MS);
    try {
      const answer = await send(`${url}/v1${path}`, {
        method,
        headers: {
          authorization: `Bearer ${token}`,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(body === undefined ? {} : { body }),
        signal: either,
        cache: 'no-store',
      });
      const content: unknown = await answer.json();
      if (!answer.ok) throw errorOf(answer, content);
      const { clock } = content as { clock?: unknown };
      if (typeof clock === 'number') told?.(clock);
      return content as T;
    } catch (cause) {
      throw cause instanceof CausewayError ? cause : noAnswer(method);
    } finally {
      clearTimeout(patience);
    }
  }
}

/**
 * No answer, or one that no region gives. A write may have been committed all the same, which is
 * why its repeat is the same command. What went wrong below stays unsaid: it may quote the request.
 */
function noAnswer(method: string): CausewayError {
  return method === 'GET'
    ? new CausewayError('not-ready', 'the region does not answer')
    : new CausewayError('not-committed', 'the region did not answer; the write is sent again until it does');
}

function errorOf(answer: Response, content: unknown): CausewayError {
  const { code, detail, regions } = content as Partial<Problem>;
  const seconds = Number(answer.headers.get('retry-after') ?? Number.NaN);
  return new CausewayError(
    isErrorCode(code) ? code : answer.status >= 500 ? 'not-ready' : 'invalid-request',
    detail ?? `the region answered with status ${answer.status}`,
    {
      ...(regions === undefined ? {} : { regions }),
      ...(Number.isFinite(seconds) ? { retryAfter: seconds } : {}),
    },
  );
}

const isErrorCode = (code: unknown): code is ErrorCode => typeof code === 'string' && code in ERRORS;

const pathOf = (...parts: string[]): string => parts.map((part) => `/${encodeURIComponent(part)}`).join('');

type Request = { method: string; path: string; fields: Record<string, unknown> };

/** Where a command goes, and the fields of its body beside nonce and id. */
function requestOf(command: Command): Request {
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
