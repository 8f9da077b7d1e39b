import type { World } from '@causeway/local';
import { isDocument, type Cell, type Message } from '@causeway/protocol';
import { documentDigest, scopeDigest } from '@causeway/replica';
import postgres from 'postgres';
import * as Y from 'yjs';

const ZONE = 'global';

/** What a region holds under all names of the zone, folded. */
export type Summary = {
  names: number;
  /** Digests of all names, exclusive-ored. */
  digest: bigint;
  /** Rows that wait for publication. */
  outbox: number;
};

/** The Postgres of one region, read past its servers. */
export class RegionDatabase {
  readonly region: string;
  readonly #sql: postgres.Sql;
  /** Digests of documents whose row in the table of states had none, by name and number of changes. */
  readonly #computed = new Map<string, bigint>();

  constructor(region: string, url: string) {
    this.region = region;
    this.#sql = postgres(url, {
      max: 1,
      connect_timeout: 3,
      idle_timeout: 5,
      fetch_types: false,
      onnotice: () => undefined,
    });
  }

  static all(world: World): RegionDatabase[] {
    return Object.values(world.regions).map(
      ({ region, postgresUrl }) => new RegionDatabase(region, postgresUrl),
    );
  }

  /** The digests that the region has at hand, and ours where it has none. */
  async summary(): Promise<Summary> {
    const [held] = await this.#sql`
      select count(*)::int as names, coalesce(bit_xor(digest), 0)::text as digest,
        (select count(*)::int from causeway.outbox where zone = ${ZONE}) as outbox
      from causeway.states where zone = ${ZONE}`;
    const stale = await this.#sql<{ name: string; changes: string }[]>`
      select name, changes::text from causeway.states where zone = ${ZONE} and digest is null`;
    let digest = BigInt.asUintN(64, BigInt(held!['digest'] as string));
    for (const { name, changes } of stale) {
      const key = `${name} ${changes}`;
      let computed = this.#computed.get(key);
      if (computed === undefined) this.#computed.set(key, (computed = await this.#digestOf(name)));
      digest ^= computed;
    }
    return { names: held!['names'] as number, digest, outbox: held!['outbox'] as number };
  }

  /** Documents by name, replayed from the log. */
  async documents(names?: readonly string[]): Promise<Map<string, Y.Doc>> {
    const documents = new Map<string, Y.Doc>();
    const wanted = names ?? (await this.#documentNames());
    for (const name of wanted) documents.set(name, await this.#replay(name));
    return documents;
  }

  /** All cells, or those of some scopes. */
  async cells(scopes?: readonly string[]): Promise<Cell[]> {
    const rows = await this.#sql`
      select scope, key, v, value from causeway.cells
      where zone = ${ZONE} ${scopes === undefined ? this.#sql`` : this.#sql`and scope = any(string_to_array(${scopes.join('\n')}, E'\n'))`}`;
    return rows.map(
      ({ scope, key, v, value }) => ({ scope, key, v, value: JSON.parse(value as string) }) as Cell,
    );
  }

  /** The view of messages, by channel's scope and id. */
  async view(): Promise<Map<string, Message>> {
    const rows = await this.#sql`select channel, id, message from causeway.messages where zone = ${ZONE}`;
    return new Map(
      rows.map(({ channel, id, message }) => [
        `${channel as string}/${id as string}`,
        JSON.parse(message as string) as Message,
      ]),
    );
  }

  /** Digests as the region keeps them; without those that are out of date. */
  async digests(): Promise<Map<string, bigint>> {
    const rows = await this.#sql`
      select name, digest::text from causeway.states where zone = ${ZONE} and digest is not null`;
    return new Map(
      rows.map(({ name, digest }) => [name as string, BigInt.asUintN(64, BigInt(digest as string))]),
    );
  }

  /** Rows and bytes of the log. */
  async size(): Promise<{ rows: number; bytes: number }> {
    const [size] = await this.#sql`
      select count(*)::int as rows, pg_database_size(current_database())::text as bytes
      from causeway.log where zone = ${ZONE}`;
    return { rows: size!['rows'] as number, bytes: Number(size!['bytes']) };
  }

  close(): Promise<void> {
    return this.#sql.end({ timeout: 2 });
  }

  async #documentNames(): Promise<string[]> {
    const rows = await this.#sql`select distinct name from causeway.log where zone = ${ZONE} order by name`;
    return rows.map(({ name }) => name as string);
  }

  async #digestOf(name: string): Promise<bigint> {
    if (!isDocument(name)) return scopeDigest(name, await this.cells([name]));
    const doc = await this.#replay(name);
    const digest = documentDigest(name, doc);
    doc.destroy();
    return digest;
  }

  async #replay(name: string): Promise<Y.Doc> {
    const rows = await this.#sql`
      select bytes from causeway.log where zone = ${ZONE} and name = ${name} order by id`;
    const doc = new Y.Doc();
    doc.transact(() => {
      for (const { bytes } of rows) Y.applyUpdate(doc, bytes as Uint8Array);
    });
    return doc;
  }
}
