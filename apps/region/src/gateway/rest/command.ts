import {
  CausewayError,
  base64url,
  commandId,
  decodeToken,
  encodeToken,
  parseName,
  type AckBody,
  type AfterQuery,
  type Command,
  type LevelQuery,
  type Token,
} from '@causeway/protocol';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { randomBytes } from 'node:crypto';
import type { Access } from '../../access.ts';
import type { Workspace } from '../../catalog.ts';
import type { Metrics } from '../../metrics.ts';
import type { ReachedChannel, Replica } from '@causeway/replica';
import { asCausewayError } from '../problems.ts';

export type RestParts = { access: Access; metrics: Metrics };

/** What a request is about, resolved and allowed. */
export type Scene = { workspace: Workspace; replica: Replica; member: string };

export type Repeatable = { nonce?: string; id?: string; v?: number };

/** Resolves the workspace of a route for the member who asks. */
export async function sceneOf(
  { access }: RestParts,
  request: FastifyRequest,
  slugOrId: string,
): Promise<Scene> {
  return { ...(await access.workspace(request.identity, slugOrId)), member: request.identity.member };
}

/** A channel that the member may see. */
export function channelOf({ access }: RestParts, scene: Scene, slugOrId: string): Promise<ReachedChannel> {
  return access.channel(scene, scene.member, slugOrId);
}

/** The nonce that the client drew, or a fresh one. */
export const nonceOf = ({ nonce }: Repeatable): string => nonce ?? base64url(randomBytes(16));

/**
 * The client's hybrid time, or ours. A nonce without `v` would make the repeat of a request a
 * different command, so the two come together.
 */
export function timeOf(given: Repeatable, replica: Replica): number {
  if ((given.v === undefined) !== (given.nonce === undefined))
    throw new CausewayError(
      'invalid-request',
      'send nonce and v together, and keep both when you repeat the request',
    );
  return given.v ?? replica.clock.tick();
}

/**
 * Carries a command out, whatever door it came through, and counts how it went; `id`, when given, must be the command's hash, and
 * `level` says how safe the write has to be before it is acknowledged.
 */
export async function execute(
  parts: RestParts,
  scene: Scene,
  command: Command,
  { id, level = 'region' }: { id?: string } & LevelQuery,
): Promise<AckBody> {
  const started = performance.now();
  try {
    if (id !== undefined && id !== commandId(command))
      throw new CausewayError(
        'id-mismatch',
        'the id is not the hash of this command; make it with commandId()',
      );
    mustBeTheirs(scene, command);
    await parts.access.command(scene, command);
    const ack = await scene.replica.execute(command, { level });
    parts.metrics.command(command.kind, 'ok', performance.now() - started);
    return { ...ack, readToken: encodeToken(ack.token) };
  } catch (error) {
    parts.metrics.command(command.kind, asCausewayError(error).code, performance.now() - started);
    throw error;
  }
}

/** A command speaks for the member who sends it, in their workspace (R12). */
function mustBeTheirs({ workspace, member }: Scene, command: Command): void {
  if (command.workspace !== workspace.id || command.member !== member)
    throw new CausewayError('forbidden', 'the command is not of the workspace and member of the token');
}

/** How long a read waits for the write that it asks for. */
const AFTER_MS = 5_000;

/** The token of `?after=`, if it is about the workspace of the route and nobody else's private state (R12). */
export function tokenOf({ after }: AfterQuery, { workspace, member }: Scene): Token | undefined {
  if (after === undefined) return undefined;
  const token = decodeToken(after);
  for (const entry of token) {
    const name = parseName('document' in entry ? entry.document : entry.scope)!;
    if (name.workspace !== workspace.id || (name.kind === 'member' && name.member !== member))
      throw new CausewayError('invalid-request', 'the token of `after` is not of this workspace and member');
  }
  return token;
}

/** Resolves when this region has the writes of `?after=`; rejects with `not-here-yet` when it does not in time. */
export async function arrived(query: AfterQuery, scene: Scene): Promise<void> {
  const token = tokenOf(query, scene);
  if (token === undefined || (await scene.replica.waitFor(token, AFTER_MS))) return;
  throw new CausewayError(
    'not-here-yet',
    'the write of `after` has not reached this region; try again in a moment, or read without it',
    { retryAfter: 1 },
  );
}

/** A request without a body means {} where every field is optional. */
export async function bodyMayBeAbsent(request: FastifyRequest): Promise<void> {
  request.body ??= {};
}

export type Routes = (server: FastifyInstance, parts: RestParts) => void;
