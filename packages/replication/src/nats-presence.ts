import { presenceSubject, requestSubject } from '@causeway/protocol';
import type { PresenceEar } from '@causeway/replica';
import type { NatsConnection, Subscription } from '@nats-io/transport-node';
import type { NatsLink } from './nats-link.ts';
import { Tells } from './nats-tells.ts';
import { PRESENCE } from './presence.ts';
import { keepPulse } from './nats-pulse.ts';

/** Own broker and peers' brokers, by region. */
export type PresenceLinks = { region: string; own: NatsLink; peers: ReadonlyMap<string, NatsLink> };

/** The presence half of a NatsBus: core messages, heard on a connection to every broker of the zone. */
export class NatsPresence {
  readonly #region: string;
  readonly #links: ReadonlyMap<string, NatsLink>;
  readonly #own: NatsLink;
  readonly #tells: Tells;
  /** The topics that are attended, each with its subscriptions on the connections of now. */
  readonly #topics = new Map<string, Map<string, Subscription>>();
  #ear: PresenceEar | undefined;

  constructor({ region, own, peers }: PresenceLinks) {
    this.#region = region;
    this.#own = own;
    this.#links = new Map([[region, own], ...peers]);
    this.#tells = new Tells((topic) => presenceSubject(region, topic));
  }

  hear(ear: PresenceEar): void {
    this.#ear = ear;
    for (const [region, link] of this.#links)
      link.keep((connection) => {
        if (region !== this.#region) keepPulse(connection, () => link.drop(connection));
        else
          connection.subscribe(requestSubject(region, 'presence'), {
            callback: (error, { data }) => {
              if (error === null && data.length <= PRESENCE.messageBytes) ear.asked(new Uint8Array(data));
            },
          });
        for (const topic of this.#topics.keys()) this.#subscribe(connection, region, topic);
        // When this has come back, the broker has the subscriptions.
        void connection.flush().then(
          () => {
            if (link.current === connection) ear.opened(region);
          },
          () => undefined,
        );
      });
  }

  attend(topic: string): () => void {
    this.#topics.set(topic, new Map());
    if (this.#ear !== undefined)
      for (const [region, link] of this.#links) {
        const connection = open(link);
        if (connection !== undefined) this.#subscribe(connection, region, topic);
      }
    return () => {
      for (const subscription of this.#topics.get(topic)?.values() ?? []) subscription.unsubscribe();
      this.#topics.delete(topic);
    };
  }

  announce(topic: string, bytes: Uint8Array): void {
    const connection = open(this.#own);
    if (connection !== undefined && bytes.length <= PRESENCE.messageBytes)
      this.#tells.tell(connection, [{ name: topic, bytes }]);
  }

  ask(region: string, question: Uint8Array): void {
    const link = this.#links.get(region);
    const connection = link === undefined ? undefined : open(link);
    if (question.length <= PRESENCE.messageBytes)
      connection?.publish(requestSubject(region, 'presence'), question);
  }

  #subscribe(connection: NatsConnection, region: string, topic: string): void {
    const subscription = connection.subscribe(presenceSubject(region, topic), {
      callback: (error, { data }) => {
        if (error === null && data.length <= PRESENCE.messageBytes)
          this.#ear?.announced(region, topic, new Uint8Array(data));
      },
    });
    this.#topics.get(topic)?.set(region, subscription);
  }
}

/** The connection, unless it is saying goodbye: the client throws then. */
const open = ({ current }: NatsLink): NatsConnection | undefined =>
  current?.isDraining() === true ? undefined : current;
