import type { NatsConnection } from '@nats-io/transport-node';
import type { Told } from './ear.ts';

/** What may be on its way to the broker, in bytes; more is dropped. */
const UNDER_WAY_BYTES = 16 * 1024 * 1024;

/** Core messages under subjects of a region; they wait for nobody and pile up nowhere. */
export class Tells {
  readonly #subjectOf: (name: string) => string;
  #connection: NatsConnection | undefined;
  #underWay = 0;

  constructor(subjectOf: (name: string) => string) {
    this.#subjectOf = subjectOf;
  }

  tell(connection: NatsConnection, messages: readonly Told[]): void {
    if (connection.isClosed()) return;
    if (connection !== this.#connection) this.#underWay = 0;
    this.#connection = connection;
    const limit = connection.info?.max_payload ?? Infinity;
    let given = 0;
    for (const { name, bytes } of messages) {
      // A repaired document may be larger than a message: the tail of the log has it.
      if (bytes.length > limit) continue;
      if (this.#underWay + given + bytes.length > UNDER_WAY_BYTES) break;
      connection.publish(this.#subjectOf(name), bytes);
      given += bytes.length;
    }
    if (given === 0) return;
    this.#underWay += given;
    void connection.flush().then(
      () => {
        if (connection === this.#connection) this.#underWay -= given;
      },
      () => undefined,
    );
  }
}
