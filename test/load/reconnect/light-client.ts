import { RegionApi, retrying } from '@causeway/client';
import { Credentials, FRAME, SYNC, Session, type Line } from '@causeway/client/link';
import { segmentName } from '@causeway/protocol';
import * as decoding from 'lib0/decoding';
import * as encoding from 'lib0/encoding';
import { setTimeout as pause } from 'node:timers/promises';
import { LeanSocket } from './lean-socket.ts';
import { leanFetch } from './lean-fetch.ts';

export type LightClientParts = {
  /** The region, e.g. `http://127.0.0.1:4101`. */
  url: string;
  token: string;
  workspace: string;
  member: string;
  /** The one channel that is open, by id. */
  channel: string;
  /** Everything is here again that the connection is for; said once for each connection. */
  back(): void;
  /** The connection is gone. */
  left(): void;
};

/** As in the client: names of channels are asked for within this time after a reconnection, milliseconds. */
const NAMES_SPREAD_MS = 10_000;
/** An update that holds nothing: a reader has nothing that the region lacks. */
const NO_UPDATE = Uint8Array.of(0, 0);
/** The state vector of who has nothing. */
const NOTHING = Uint8Array.of(0);

/**
 * A member with one channel open, by the SDK's own session: its sign-ins, requests, resumption, patience,
 * backoff and jitter. It lacks a screen: messages are not read, and a state vector stands for the document.
 */
export class LightClient {
  readonly #parts: LightClientParts;
  readonly #session: Session;
  readonly #api: RegionApi;
  readonly #line: Line;
  #stateVector = NOTHING;
  #over = new AbortController();
  #isLive = false;
  #isAnswered = false;

  constructor(parts: LightClientParts) {
    const { url, token, workspace, member, channel } = parts;
    this.#parts = parts;
    this.#api = new RegionApi({ url, token, fetch: leanFetch });
    this.#session = new Session({
      url,
      credentials: new Credentials(token, Date.now),
      workspace,
      member,
      random: Math.random,
      webSocket: LeanSocket as unknown as typeof WebSocket,
      joined: () => void this.#joined(),
      pushed: () => undefined,
    });
    this.#line = this.#session.link.attach(segmentName(workspace, channel, 1), {
      joined: () =>
        this.#line.send(FRAME.sync, (to) => {
          encoding.writeVarUint(to, SYNC.step1);
          encoding.writeVarUint8Array(to, this.#stateVector);
        }),
      heard: (type, from) => {
        if (type === FRAME.sync) this.#sync(from);
      },
      left: () => this.#left(),
    });
  }

  close(): void {
    this.#over.abort();
    this.#session.close();
  }

  /** What a client with a channel and badges on its screen asks for with every connection. */
  async #joined(): Promise<void> {
    const { signal } = this.#over;
    const again = { signal, random: Math.random };
    const { workspace, channel } = this.#parts;
    const requests = [{ do: 'cells', channel }, { do: 'mine' }, { do: 'badges' }] as const;
    try {
      await Promise.all(requests.map((request) => retrying(() => this.#session.ask(request), again)));
    } catch (error) {
      // The next connection asks again.
      if (signal.aborted) return;
      throw error;
    }
    if (signal.aborted) return;
    this.#isAnswered = true;
    this.#look();
    await pause(NAMES_SPREAD_MS * Math.random(), undefined, { signal }).catch(() => undefined);
    // Names that are not there are asked for again with the next connection.
    if (!signal.aborted)
      await retrying(() => this.#api.workspace(workspace, signal), again).catch(() => undefined);
  }

  #sync(from: decoding.Decoder): void {
    const step = decoding.readVarUint(from);
    if (step === SYNC.step1) {
      this.#stateVector = decoding.readVarUint8Array(from).slice();
      this.#line.send(FRAME.sync, (to) => {
        encoding.writeVarUint(to, SYNC.step2);
        encoding.writeVarUint8Array(to, NO_UPDATE);
      });
    } else if (step === SYNC.step2) {
      this.#isLive = true;
      this.#look();
    }
  }

  #look(): void {
    if (this.#isLive && this.#isAnswered) this.#parts.back();
  }

  #left(): void {
    this.#over.abort();
    this.#over = new AbortController();
    this.#isLive = false;
    this.#isAnswered = false;
    this.#parts.left();
  }
}
