import { CausewayError } from '@causeway/protocol';
import type { ReachedChannel } from '@causeway/replica';
import { expect, it } from 'vitest';
import type { Access, Opened } from '../../access.ts';
import { HeardChannels } from './heard-channels.ts';

it('R12 a channel that its member was removed from while others were looked up is not heard of', async () => {
  const seen = new Set(['private', 'slow']);
  const slow = Promise.withResolvers<void>();
  const channel = async (_opened: Opened, _member: string, id: string): Promise<ReachedChannel> => {
    if (!seen.has(id)) throw new CausewayError('not-found', 'there is no such channel');
    if (id === 'slow') await slow.promise;
    return { id, slug: id, kind: 'public', archived: false };
  };
  const opened = { workspace: { id: 'acme' } } as Opened;
  const channels = new HeardChannels({ opened, member: 'ben', access: { channel } as unknown as Access });
  const adding = channels.add(['private', 'slow']);
  await new Promise((resolve) => setImmediate(resolve));
  seen.delete('private');
  await channels.look();
  slow.resolve();
  await expect(adding).rejects.toThrow('no such channel');
  expect(channels.list()).toEqual([]);
});
