import type { NatsConnection } from '@nats-io/transport-node';
import { tellSubject } from '@causeway/protocol';
import type { Told } from './ear.ts';

/** What may be on its way to the broker, in bytes; more is dropped. */
const UNDER_WAY_BYTES = 16 * 1024 * 1024;

/** Core messages to the other processes of a region; they wait for nobody and pile up nowhere. */
export class Tells {
  readonly #region: string;
  #connection: NatsConnection | undefined;
  #underWay = 0;

  constructor(region: string) {
    this.#region = region;
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
      connection.publish(tellSubject(this.#region, name), bytes);
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
