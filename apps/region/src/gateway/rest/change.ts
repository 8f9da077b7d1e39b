import { CausewayError, changeId, type ChangeCommand, type Deed } from '@causeway/protocol';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { asCausewayError } from '../problems.ts';
import { nonceOf, type Repeatable, type RestParts, type Scene } from './command.ts';

/** Headers of a strong write. */
export const IfMatch = Type.Object({
  'if-match': Type.Optional(
    Type.String({
      description:
        'the ETag that a read of the workspace, of its channels or of members gave: carried out only while nothing of them was changed since, `version-moved` (412) otherwise',
    }),
  ),
});

/** What a strong write is answered with. */
export type ChangedBody = {
  /** Of the command; of the channel too, when that is new. */
  id: string;
  /** The version of the workspace that holds the change. */
  version: number;
};

/** The version of a workspace as an entity tag. */
export const etagOf = (version: number): string => `"${version}"`;

/**
 * Has a change made, and counts how it went. A repeat, by the same nonce, is answered as the first one was.
 * Rejects with `no-directory` or `no-peer` while it cannot be decided.
 */
export async function change(
  parts: RestParts,
  { workspace, replica, member }: Scene,
  request: FastifyRequest,
  reply: FastifyReply,
  deed: Deed,
): Promise<ChangedBody> {
  const started = performance.now();
  const given = (request.body ?? {}) as Repeatable;
  const command: ChangeCommand = {
    kind: 'change',
    workspace: workspace.id,
    member,
    nonce: nonceOf(given),
    deed,
  };
  try {
    if (given.id !== undefined && given.id !== changeId(command))
      throw new CausewayError(
        'id-mismatch',
        'the id is not the hash of this change; make it with changeId()',
      );
    const done = await replica.strong.request(command, versionOf(request.headers['if-match']));
    parts.metrics.command(deed.kind, 'ok', performance.now() - started);
    void reply.header('etag', etagOf(done.head.version));
    return { id: done.id, version: done.version };
  } catch (error) {
    parts.metrics.command(deed.kind, asCausewayError(error).code, performance.now() - started);
    throw error;
  }
}

/**
 * The same about a channel, which may be out of the member's sight by now: a repeat is answered all the same,
 * anything else is `not-found` under the name that was asked for, so that no name or id leaks.
 */
export async function changeChannel(
  parts: RestParts,
  scene: Scene,
  request: FastifyRequest & { params: { channel: string } },
  reply: FastifyReply,
  deedOf: (channel: string) => Deed,
): Promise<ChangedBody> {
  const { channel: asked } = request.params;
  const { id = asked } = (await scene.replica.strong.state(scene.workspace.id)).channel(asked) ?? {};
  try {
    return await change(parts, scene, request, reply, deedOf(id));
  } catch (error) {
    if (error instanceof CausewayError && error.code === 'not-found')
      throw new CausewayError('not-found', `there is no channel "${asked}" here`);
    throw error;
  }
}

function versionOf(ifMatch: string | undefined): number | undefined {
  if (ifMatch === undefined || ifMatch === '*') return undefined;
  const version = /^"(?<version>0|[1-9][0-9]{0,14})"$/.exec(ifMatch)?.groups!['version'];
  if (version !== undefined) return Number(version);
  throw new CausewayError('invalid-request', 'If-Match takes one ETag that a read of this workspace gave');
}
