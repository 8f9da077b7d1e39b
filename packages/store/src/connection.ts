import { Doubtful, Unavailable } from '@causeway/replica';
import { connect, type Socket } from 'node:net';
import postgres from 'postgres';
import { connectFaultOf, faultOf, UnfitDatabase } from './faults.ts';

export type ConnectionOptions = {
  url: string;
  /** Shown in pg_stat_activity. */
  name: string;
  /** A statement that is not answered by then is doubtful, and its connection is given up. */
  answerTimeoutMs: number;
  /** More settings of the session. */
  settings?: Readonly<Record<string, string>>;
};

export type Fields = Readonly<Record<string, unknown>>;

const CONNECT_TIMEOUT_MS = 5_000;

/**
 * One session, from its first connection to its end: the client below never reconnects by itself,
 * so nobody can take a new session for the old one (locks, transactions, doubt). One statement at
 * a time.
 */
export class Connection {
  readonly #sql: postgres.Sql;
  readonly #answerTimeoutMs: number;
  readonly #lost = new AbortController();
  #socket: Socket | undefined;
  #ready = false;

  private constructor(options: ConnectionOptions, attempt: number) {
    this.#answerTimeoutMs = options.answerTimeoutMs;
    const client = {
      max: 1,
      idle_timeout: 0,
      max_lifetime: null,
      connect_timeout: CONNECT_TIMEOUT_MS / 1000,
      fetch_types: false,
      onnotice: () => undefined,
      onclose: () => this.#lost.abort(),
      connection: sessionSettings(options),
      // The client's types do not know this one.
      socket: (parsed: Hosts) => this.#connectOnce(parsed, attempt),
    };
    this.#sql = postgres(options.url, client);
  }

  /**
   * Connects and makes sure that what this session commits is durable. Rejects with Unavailable,
   * or UnfitDatabase where waiting will not help. Of several hosts, attempt n takes the nth.
   */
  static async open(options: ConnectionOptions, attempt = 0): Promise<Connection> {
    const connection = new Connection(options, attempt);
    try {
      const [found] = await connection.query(FITNESS);
      checkFitness(found!);
      connection.#ready = true;
      return connection;
    } catch (error) {
      connection.destroy();
      throw error;
    }
  }

  /** Fires when the session has ended, whoever ended it. */
  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  /**
   * Sends one statement, prepared; a parameter is text in Postgres' own format. Rejects with
   * Refused, Unavailable or Doubtful; after Doubtful the session is gone.
   */
  async query(
    text: string,
    parameters: (string | null)[] = [],
    timeoutMs: number = this.#answerTimeoutMs,
  ): Promise<readonly Fields[]> {
    if (this.lost.aborted) throw new Unavailable('the connection to Postgres is closed');
    const overdue = Promise.withResolvers<never>();
    const timer = setTimeout(
      () => overdue.reject(new Doubtful(`no answer from Postgres within ${timeoutMs} ms`)),
      timeoutMs,
    );
    try {
      return await Promise.race([this.#sql.unsafe(text, parameters, { prepare: true }), overdue.promise]);
    } catch (error) {
      const fault = this.#ready ? faultOf(error) : connectFaultOf(error);
      if (fault instanceof Doubtful) this.destroy();
      throw fault;
    } finally {
      clearTimeout(timer);
    }
  }

  /** All statements in one transaction; a failure before the commit is certain, one at it may be Doubtful. */
  async transaction<T>(work: () => Promise<T>): Promise<T> {
    let result: T;
    try {
      await this.query('begin');
      result = await work();
    } catch (error) {
      // The server rolls back a transaction whose session ends.
      this.destroy();
      throw error instanceof Doubtful ? new Unavailable(error.message) : error;
    }
    await this.query('commit');
    return result;
  }

  /** Ends the session at once, whatever is under way. */
  destroy(): void {
    this.#lost.abort();
    // The client first: under TLS it writes a farewell, and a socket closed under its feet would throw
    // that as an uncaught error. It leaves a socket open whose other end is silent, we do not.
    void this.#sql.end({ timeout: 0 }).finally(() => this.#socket?.destroy());
  }

  /** The client would reconnect after a loss; the second time it gets no socket. */
  #connectOnce({ host, port, path }: Hosts, attempt: number): Promise<Socket> {
    if (this.#socket !== undefined || this.lost.aborted)
      return Promise.reject(new Unavailable('the connection to Postgres is closed'));
    const at = attempt % host.length;
    const socket = typeof path === 'string' ? connect(path) : connect({ host: host[at]!, port: port[at]! });
    socket.setNoDelay(true);
    socket.setKeepAlive(true, 5_000);
    // The client reads it for the name in the certificate.
    Object.assign(socket, { host: host[at] });
    return new Promise((resolve, reject) => {
      const giveUp = (): unknown => socket.destroy(new Error('connecting took too long'));
      const timer = setTimeout(giveUp, CONNECT_TIMEOUT_MS);
      this.lost.addEventListener('abort', giveUp);
      const settle = (then: () => void): void => {
        clearTimeout(timer);
        this.lost.removeEventListener('abort', giveUp);
        socket.removeAllListeners();
        then();
      };
      socket.once('connect', () =>
        settle(() => {
          this.#socket = socket;
          resolve(socket);
        }),
      );
      socket.once('error', (error) => settle(() => reject(error)));
      socket.once('close', () => settle(() => reject(new Error('closed while connecting'))));
    });
  }
}

type Hosts = { host: string[]; port: number[]; path?: string | false };

/**
 * The server gives up before we do, so that most overdue statements end with a certain answer;
 * and it notices a lost client, so that a dead process keeps no lock and no transaction.
 */
function sessionSettings({ name, answerTimeoutMs, settings }: ConnectionOptions): Record<string, string> {
  return {
    application_name: name,
    statement_timeout: String(Math.ceil(answerTimeoutMs * 0.8)),
    lock_timeout: String(Math.ceil(answerTimeoutMs * 0.6)),
    idle_in_transaction_session_timeout: String(Math.max(1_000, answerTimeoutMs * 2)),
    tcp_keepalives_idle: '5',
    tcp_keepalives_interval: '2',
    tcp_keepalives_count: '3',
    jit: 'off',
    ...settings,
  };
}

/** Asked in every session: settings of the server, the database and the role all show here. */
const FITNESS = `select current_setting('fsync') as fsync,
  current_setting('synchronous_commit') as synchronous_commit,
  current_setting('server_encoding') as encoding, pg_is_in_recovery() as standby`;

function checkFitness(found: Fields): void {
  for (const setting of ['fsync', 'synchronous_commit'] as const)
    if (found[setting] === 'off')
      throw new UnfitDatabase(
        setting,
        `Postgres runs with ${setting} = off and would acknowledge writes that a crash loses: ` +
          'turn it on for the server, the database and the role',
      );
  if (found['encoding'] !== 'UTF8')
    throw new UnfitDatabase(
      'encoding',
      `the database is encoded in ${String(found['encoding'])}, not in UTF8`,
    );
  if (found['standby'] === true) throw new Unavailable('this Postgres is a standby');
}
