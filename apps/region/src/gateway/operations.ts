import type { FastifyInstance } from 'fastify';
import type { Pipe, Replica } from '@causeway/replica';
import type { Config } from '../config/read.ts';
import type { Metrics } from '../metrics.ts';

/** Whether this process can serve, and how its pipes to the peers are. */
export type Readiness = {
  ready: boolean;
  region: string;
  /** Why not, in a few words. */
  why?: string;
  zones: {
    zone: string;
    nats: 'up' | 'down';
    /** Rows that wait for the database and for the broker. */
    waiting: Replica['waiting'];
    peers: Pipe[];
    /** Documents that differ from a peer's as they are; see Replica.diverged. */
    diverged: number;
    /** Documents that wait for an upgrade of this region; see Replica.parked. */
    parked: number;
  }[];
};

type Parts = { config: Config; metrics: Metrics; readiness: () => Promise<Readiness> };

/**
 * What operators ask for, without a token and without content. Not ready means a lost Postgres;
 * a lost peer region or broker does not stop a region from serving.
 */
export function operatorRoutes(server: FastifyInstance, { config, metrics, readiness }: Parts): void {
  server.get('/healthz', { schema: { hide: true } }, () => ({ alive: true, region: config.region }));
  server.get('/readyz', { schema: { hide: true } }, async (_request, reply) => {
    const state = await readiness();
    return reply.code(state.ready ? 200 : 503).send(state);
  });
  server.get('/metrics', { schema: { hide: true } }, async (_request, reply) =>
    reply.type(metrics.contentType).send(await metrics.text()),
  );
}
