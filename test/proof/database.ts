import type { World } from '@causeway/local';
import postgres from 'postgres';

/** Tables that grow with what people write. */
const TABLES = ['log', 'cells', 'copies', 'segments', 'states', 'messages'] as const;

/** What one region's database holds of the zone `global`. */
export type Held = {
  messages: number;
  cells: number;
  /** Bytes of the rows that are alive. */
  rowBytes: number;
  /** Bytes of the files, with indexes and free space, after a plain vacuum. */
  fileBytes: number;
  /** Documents and scopes whose digest is not up to date. */
  stale: number;
  /** All digests, folded. */
  digest: string;
};

/** A look into the database of a region. */
export class Inside {
  readonly #sql: postgres.Sql;

  constructor(world: World, region: string) {
    this.#sql = postgres(world.regions[region]!.postgresUrl, { max: 1, onnotice: () => undefined });
  }

  /** Rows of the log, rows to be published, stale states: 0 when the region is at rest. */
  async restless(): Promise<{ stale: number; outbox: number; digest: string }> {
    const [row] = await this.#sql`
      select (select count(*) from causeway.states where zone = 'global' and digest is null)::int as stale,
        (select count(*) from causeway.outbox where zone = 'global')::int as outbox,
        (select coalesce(bit_xor(digest), 0)::text from causeway.states where zone = 'global') as digest`;
    return { stale: Number(row!['stale']), outbox: Number(row!['outbox']), digest: String(row!['digest']) };
  }

  async held(): Promise<Held> {
    for (const table of TABLES) await this.#sql.unsafe(`vacuum causeway.${table}`);
    let rowBytes = 0;
    let fileBytes = 0;
    for (const table of TABLES) {
      const [row] = await this.#sql.unsafe(
        `select coalesce(sum(pg_column_size(t.*)), 0)::float8 as rows,
           pg_total_relation_size('causeway.${table}')::float8 as files from causeway.${table} t`,
      );
      rowBytes += Number(row!['rows']);
      fileBytes += Number(row!['files']);
    }
    const [counted] = await this.#sql`
      select (select count(*) from causeway.messages)::int as messages,
        (select count(*) from causeway.cells)::int as cells`;
    const { stale, digest } = await this.restless();
    return {
      messages: Number(counted!['messages']),
      cells: Number(counted!['cells']),
      rowBytes,
      fileBytes,
      stale,
      digest,
    };
  }

  async close(): Promise<void> {
    await this.#sql.end();
  }
}
