import type { Pipe } from '@causeway/replica';
import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client';

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

/** What is sampled when somebody asks for the metrics. */
export type Sample = {
  zone: string;
  appendsWaiting: number;
  publishesWaiting: number;
  publishBytesWaiting: number;
  oldestUnpublishedMs: number;
  documents: number;
  fromFuture: number;
  natsUp: boolean;
  peers: Pipe[];
  compactor: { compacted: number; rowsRemoved: number; failed: number };
  quarantined: number;
  diverged: number;
};

/** The metrics of one process. Labels hold regions, zones, routes and codes; never a workspace or a member (R6). */
/** Of all sockets of a process together; their queues count here. */
export class OutgoingCounts {
  waitingBytes = 0;
  /** Updates left out. */
  dropped = 0;
  /** Socket writes since `since` (performance.now()), and in the 20 ms before that. */
  writes = 0;
  writesLately = 0;
  since = 0;
}

export class Metrics {
  readonly #registry = new Registry();
  readonly #requests: Histogram<'method' | 'route' | 'status'>;
  readonly #commands: Counter<'kind' | 'outcome'>;
  readonly #acks: Histogram<'kind'>;
  readonly #notices: Counter<'what'>;
  readonly #closes: Counter<'code'>;
  readonly #sockets: Gauge;

  readonly outgoing = new OutgoingCounts();

  constructor(region: string, sample: () => Sample[]) {
    const registers = [this.#registry];
    this.#registry.setDefaultLabels({ region });
    collectDefaultMetrics({ register: this.#registry });
    this.#requests = new Histogram({
      name: 'causeway_http_request_seconds',
      help: 'HTTP requests by route template',
      labelNames: ['method', 'route', 'status'],
      buckets: SECONDS,
      registers,
    });
    this.#commands = new Counter({
      name: 'causeway_commands_total',
      help: 'Commands by kind and outcome (ok or error code)',
      labelNames: ['kind', 'outcome'],
      registers,
    });
    this.#acks = new Histogram({
      name: 'causeway_ack_seconds',
      help: 'From the command to its acknowledgement, which follows the commit',
      labelNames: ['kind'],
      buckets: SECONDS,
      registers,
    });
    this.#notices = new Counter({
      name: 'causeway_notices_total',
      help: 'Things an operator should know of: lost links, failed commits, parked messages, restarts of a stream',
      labelNames: ['what'],
      registers,
    });
    this.#closes = new Counter({
      name: 'causeway_socket_closes_total',
      help: 'WebSockets closed by us, by error code',
      labelNames: ['code'],
      registers,
    });
    this.#sockets = new Gauge({ name: 'causeway_sockets', help: 'Open WebSockets', registers });
    this.#socketQueues();
    this.#sampled(sample);
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  text(): Promise<string> {
    return this.#registry.metrics();
  }

  request(method: string, route: string, status: number, seconds: number): void {
    this.#requests.observe({ method, route, status }, seconds);
  }

  command(kind: string, outcome: string, ms: number): void {
    this.#commands.inc({ kind, outcome });
    if (outcome === 'ok') this.#acks.observe({ kind }, ms / 1000);
  }

  notice(what: string): void {
    this.#notices.inc({ what });
  }

  socketOpened(): void {
    this.#sockets.inc();
  }

  socketClosed(): void {
    this.#sockets.dec();
  }

  /** We close it, for this reason. */
  socketFailed(code: string): void {
    this.#closes.inc({ code });
  }

  /** What arriving clients want: pieces that wait for their turn, and those that are under way. */
  arrivals(turns: { waiting: number; underWay: number }): void {
    const registers = [this.#registry];
    for (const [name, help, read] of [
      ['causeway_arrivals_waiting', 'Sign-ins and first reads that wait for their turn', () => turns.waiting],
      ['causeway_arrivals_under_way', 'Those that are under way', () => turns.underWay],
    ] as const)
      new Gauge({
        name,
        help,
        registers,
        collect() {
          this.set(read());
        },
      });
  }

  #socketQueues(): void {
    const { outgoing } = this;
    new Gauge({
      name: 'causeway_socket_waiting_bytes',
      help: 'Bytes that wait for slow readers, of all sockets together',
      registers: [this.#registry],
      collect() {
        this.set(outgoing.waitingBytes);
      },
    });
    new Gauge({
      name: 'causeway_socket_updates_dropped',
      help: 'Updates left out because a reader was slow, and made up for later',
      registers: [this.#registry],
      collect() {
        this.set(outgoing.dropped);
      },
    });
  }

  #sampled(sample: () => Sample[]): void {
    const gauge = (name: string, help: string, read: (of: Sample) => number): void => {
      new Gauge({
        name,
        help,
        labelNames: ['zone'],
        registers: [this.#registry],
        collect() {
          for (const of of sample()) this.set({ zone: of.zone }, read(of));
        },
      });
    };
    gauge('causeway_appends_waiting', 'Writes that wait for Postgres', (of) => of.appendsWaiting);
    gauge('causeway_publishes_waiting', 'Committed rows that wait for NATS', (of) => of.publishesWaiting);
    gauge('causeway_publish_bytes_waiting', 'Bytes of those rows', (of) => of.publishBytesWaiting);
    gauge(
      'causeway_oldest_unpublished_seconds',
      'Age of the oldest row that waits for NATS',
      (of) => of.oldestUnpublishedMs / 1000,
    );
    gauge('causeway_documents', 'Documents in memory', (of) => of.documents);
    gauge('causeway_compacted', 'Documents rewritten by this process', (of) => of.compactor.compacted);
    gauge('causeway_rows_removed', 'Rows of the log that went with it', (of) => of.compactor.rowsRemoved);
    gauge(
      'causeway_compactions_failed',
      'Documents that could not be rewritten',
      (of) => of.compactor.failed,
    );
    gauge(
      'causeway_quarantined',
      'Documents left alone because their log is too large',
      (of) => of.quarantined,
    );
    gauge('causeway_nats_up', '1 when this region reaches its own broker', (of) => Number(of.natsUp));
    gauge(
      'causeway_diverged_documents',
      "Documents that differ from a peer's as they are",
      (of) => of.diverged,
    );
    gauge('causeway_times_from_future', 'Timestamps of peers beyond the skew bound', (of) => of.fromFuture);
    const pipes = (name: string, help: string, read: (pipe: Pipe) => number | undefined): void => {
      new Gauge({
        name,
        help,
        labelNames: ['zone', 'peer'],
        registers: [this.#registry],
        collect() {
          for (const { zone, peers } of sample())
            for (const pipe of peers) {
              const value = read(pipe);
              if (value !== undefined) this.set({ zone, peer: pipe.peer }, value);
            }
        },
      });
    };
    pipes(
      'causeway_waiting_updates',
      'Messages of a peer that have not come here',
      (of) => of.waiting?.updates,
    );
    pipes(
      'causeway_waiting_bytes',
      'About so many bytes of a peer have not come here',
      (of) => of.waiting?.bytes,
    );
    pipes(
      'causeway_unconfirmed_updates',
      'Our messages that a peer has not confirmed to have stored',
      (of) => of.unconfirmed?.updates,
    );
    pipes(
      'causeway_unconfirmed_bytes',
      'About so many bytes that a peer has not confirmed to have stored',
      (of) => of.unconfirmed?.bytes,
    );
    pipes(
      'causeway_lag_seconds',
      'Age of the last heartbeat of a peer when it arrived; grows while none arrives',
      ({ lagMs, heardAt }) =>
        lagMs === undefined || heardAt === undefined
          ? undefined
          : Math.max(lagMs, Date.now() - heardAt - 1000) / 1000,
    );
  }
}
