import { CausewayError, ERRORS, type Cell, type ErrorCode } from '@causeway/protocol';
import * as decoding from 'lib0/decoding';
import { WebsocketProvider } from 'y-websocket';
import * as Y from 'yjs';
import { isRetryable } from './retryable.ts';

/** `live`: what the region has is here. `stopped`: it will not come back by itself, see `error`. */
export type ConnectionStatus = 'connecting' | 'live' | 'reconnecting' | 'stopped';

export type DocumentPlace = {
  /** The region, e.g. `http://127.0.0.1:4101`. */
  url: string;
  token: string;
  /** `<workspace>/segment/<channel>/<n>` or `<workspace>/canvas/<id>`. */
  name: string;
  webSocket?: typeof WebSocket;
};

export type DocumentEvents = {
  /** Status or error changed. */
  changed(): void;
  /** Cells of the channel and its messages; asked for when this is given. */
  cells?(cells: readonly Cell[]): void;
};

const AUTH = 2;
const CELLS = 100;
/**
 * The stock provider gives up a connection on which it read nothing for 30 s. Asking for what is
 * new keeps a quiet one alive and finds a dead one.
 */
const RESYNC_MS = 12_000;
const LONGEST_BACKOFF_MS = 5_000;

/** One document on one socket, by the stock y-websocket provider. */
export class ConnectedDocument {
  readonly doc = new Y.Doc();
  readonly name: string;
  readonly #provider: WebsocketProvider;
  readonly #changed: () => void;
  #status: ConnectionStatus = 'connecting';
  #error: CausewayError | undefined;
  #closed = false;

  constructor({ url, token, name, webSocket }: DocumentPlace, { changed, cells }: DocumentEvents) {
    this.name = name;
    this.#changed = changed;
    this.#provider = new WebsocketProvider(`${url.replace(/^http/, 'ws')}/v1/sync`, name, this.doc, {
      connect: false,
      disableBc: true,
      params: { token, ...(cells === undefined ? {} : { cells: '1' }) },
      resyncInterval: RESYNC_MS,
      maxBackoffTime: LONGEST_BACKOFF_MS,
      shouldReconnect: ({ code, reason }) => isRetryable(errorOfClose(code, reason)),
      ...(webSocket === undefined ? {} : { WebSocketPolyfill: webSocket }),
    });
    // The stock handler warns with the address of the socket, and the token is part of that.
    this.#provider.messageHandlers[AUTH] = () => undefined;
    if (cells !== undefined)
      this.#provider.messageHandlers[CELLS] = (_encoder, decoder) =>
        cells(readCells(decoding.readVarString(decoder)));
    this.#provider.on('sync', (synced) => synced && this.#become('live'));
    this.#provider.on('connection-close', (event) =>
      this.#become('reconnecting', event === null ? undefined : errorOfClose(event.code, event.reason)),
    );
    this.#provider.on('closed', ({ code, reason }) => this.#become('stopped', errorOfClose(code, reason)));
    this.#provider.connect();
  }

  get status(): ConnectionStatus {
    return this.#status;
  }

  /** Why it is not live. */
  get error(): CausewayError | undefined {
    return this.#error;
  }

  /** Who is here, for canvases (y-protocols awareness). */
  get awareness(): WebsocketProvider['awareness'] {
    return this.#provider.awareness;
  }

  /** How far the writes of one Yjs client are here, as in a state vector or a token. */
  clockOf(client: number): number {
    return Y.getState(this.doc.store, client);
  }

  close(): void {
    this.#closed = true;
    // Its reconnect timer is set once more by its end; that one should not outlive us.
    this.#provider.maxBackoffTime = 0;
    this.#provider.destroy();
    this.doc.destroy();
  }

  #become(status: ConnectionStatus, error?: CausewayError): void {
    if (this.#closed) return;
    this.#status = status;
    this.#error = error;
    this.#changed();
  }
}

/** What a close code of ours says; any other one is a connection that broke. */
function errorOfClose(code: number, reason: string): CausewayError {
  const known = (Object.keys(ERRORS) as ErrorCode[]).find((name) => ERRORS[name].close === code);
  return known === undefined
    ? new CausewayError('not-ready', 'the connection to the region broke')
    : new CausewayError(known, reason === '' ? ERRORS[known].title : reason);
}

/** Cells as the region sends them; none when it is not that. */
function readCells(text: string): Cell[] {
  const cells: unknown = JSON.parse(text);
  return Array.isArray(cells) ? cells.filter(isCell) : [];
}

const isCell = (value: unknown): value is Cell => {
  const { scope, key, v } = (value ?? {}) as Partial<Cell>;
  return typeof scope === 'string' && typeof key === 'string' && typeof v === 'string';
};
