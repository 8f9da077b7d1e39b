import {
  CausewayError,
  ERRORS,
  changeId,
  commandId,
  encodeToken,
  type Ack,
  type Canvas,
  type CanvasShares,
  type ChangeCommand,
  type Command,
  type ErrorCode,
  type ListedVersion,
  type Message,
  type Page,
  type Problem,
  type ThreadPage,
  type Token,
} from '@causeway/protocol';

import type { Credentials } from './link/credentials.ts';
import { pathOf, requestOf, requestOfChange } from './requests.ts';

export type ChannelName = {
  id: string;
  slug: string;
  /** Public when absent. */
  kind?: 'public' | 'private' | 'direct';
  /** It is read, and written no more. */
  archived?: boolean;
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

  /** The replies to a message, newest first, and the message itself while it is there. */
  thread(
    workspace: string,
    channel: string,
    root: string,
    { cursor, limit }: { cursor?: string; limit: number },
    signal?: AbortSignal,
  ): Promise<ThreadPage> {
    const query = new URLSearchParams({
      limit: String(limit),
      ...(cursor === undefined ? {} : { cursor }),
    });
    const path = pathOf('workspaces', workspace, 'channels', channel, 'messages', root, 'thread');
    return this.#read(`${path}?${query}`, signal);
  }

  async canvases(workspace: string, signal?: AbortSignal): Promise<Canvas[]> {
    const { items } = await this.#read<{ items: Canvas[] }>(
      pathOf('workspaces', workspace, 'canvases'),
      signal,
    );
    return items;
  }

  /** The versions of a canvas, newest first; `after` as of `messages`. */
  async canvasVersions(
    workspace: string,
    canvas: string,
    after?: Token,
    signal?: AbortSignal,
  ): Promise<ListedVersion[]> {
    const path = pathOf('workspaces', workspace, 'canvases', canvas, 'versions');
    const { items } = await this.#read<{ items: ListedVersion[] }>(`${path}${asOf(after)}`, signal);
    return items;
  }

  /** Who may do what with a canvas; `after` as of `messages`. */
  canvasRights(
    workspace: string,
    canvas: string,
    after?: Token,
    signal?: AbortSignal,
  ): Promise<CanvasShares> {
    const path = pathOf('workspaces', workspace, 'canvases', canvas, 'rights');
    return this.#read(`${path}${asOf(after)}`, signal);
  }

  /** Sends a command. A repeat is the same request to the letter, and has the effect of one (R4). */
  execute(command: Command, signal?: AbortSignal): Promise<Ack> {
    const { method, path, fields } = requestOf(command);
    const body = { ...fields, nonce: command.nonce, id: commandId(command) };
    return this.#request(method, path, JSON.stringify(body), signal);
  }

  /** Asks for a strong change. A repeat is the same request to the letter, and has the effect of one (R4). */
  change(command: ChangeCommand, signal?: AbortSignal): Promise<{ id: string; version: number }> {
    const { method, path, fields } = requestOfChange(command);
    const body = { ...fields, nonce: command.nonce, id: changeId(command) };
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

/** Asks for the state after a write; nothing of the kind without a token. */
const asOf = (after: Token | undefined): string =>
  after === undefined ? '' : `?${new URLSearchParams({ after: encodeToken(after) })}`;

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
