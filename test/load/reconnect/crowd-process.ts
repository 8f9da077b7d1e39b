import { LeanSocket } from './lean-socket.ts';
import { LightClient } from './light-client.ts';
import { now } from './posters.ts';
import { RollCall } from './roll-call.ts';

/**
 * Thousands of sessions in one process; started by crowd.ts, which tells it what to do. Times are the
 * machine's monotonic clock, in milliseconds.
 */
export type Seat = { member: string; token: string; channel: string };
export type Order =
  /** Opens a session for each, from a loopback address of its own. */
  | { do: 'connect'; url: string; workspace: string; seats: Seat[]; from: string }
  /** From now on all of them are expected to lose their connection and to come back. */
  | { do: 'expect' }
  | { do: 'cut' };
export type Report =
  | { was: 'ready' | 'connected' | 'expecting' }
  /** When each came back, the connections that were begun for it, and the CPU that it took, milliseconds. */
  | { was: 'back'; at: number[]; connections: number; cpuMs: number };

/** Sessions that are opened at a time to begin with. */
const AT_ONCE = 100;

/** How often it is said who is missing. */
const PATIENCE_MS = 10_000;

const report = (said: Report): void => void process.send!(said);
const cpuMs = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
};

class Sessions {
  readonly #call = new RollCall(now);
  readonly #opening = new Map<number, () => void>();
  #before = { begun: 0, cpuMs: 0 };
  #isOpen = false;

  async connect({ url, workspace, seats, from }: Order & { do: 'connect' }): Promise<void> {
    LeanSocket.from = from;
    const waiting = seats.values();
    const lane = async (): Promise<void> => {
      for (const seat of waiting) {
        const number = this.#call.add();
        const isIn = new Promise<void>((resolve) => this.#opening.set(number, resolve));
        const left = (): void => this.#call.left(number);
        void new LightClient({ ...seat, url, workspace, back: () => this.#back(number), left });
        await isIn;
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, lane));
    this.#isOpen = true;
    setInterval(() => this.#say(), PATIENCE_MS);
    report({ was: 'connected' });
  }

  expect(): void {
    this.#call.begin();
    this.#before = { begun: LeanSocket.begun, cpuMs: cpuMs() };
    report({ was: 'expecting' });
  }

  #say(): void {
    const { missing } = this.#call;
    if (missing > 0) console.error(`${missing} of ${this.#call.at.length} are not back yet`);
  }

  #back(number: number): void {
    this.#opening.get(number)?.();
    this.#opening.delete(number);
    if (!this.#call.back(number) || !this.#isOpen) return;
    const connections = LeanSocket.begun - this.#before.begun;
    report({ was: 'back', at: this.#call.at, connections, cpuMs: cpuMs() - this.#before.cpuMs });
  }
}

function run(): void {
  const sessions = new Sessions();
  process.on('message', (order: Order) => {
    if (order.do === 'connect') void sessions.connect(order);
    else if (order.do === 'expect') sessions.expect();
    else LeanSocket.cutAll();
  });
  process.once('disconnect', () => process.exit());
  report({ was: 'ready' });
}

if (process.send !== undefined) run();
