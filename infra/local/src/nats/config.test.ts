import { expect, test } from 'vitest';
import { natsConfig } from './config.ts';

test('R6 R12 a peer may read its consumer, greet, report and ask, and hears presence; nothing else', () => {
  const config = natsConfig({
    region: 'us-east',
    port: 4222,
    storeDir: '/streams',
    zones: [{ zone: 'global', app: 'secret', peers: [{ region: 'eu-west', password: 'secret' }] }],
    sys: 'secret',
  });
  const lists = [...config.matchAll(/(publish|subscribe): \{ allow: (\[.*\]) \}/g)].map(
    ([, what, subjects]) => [what, JSON.parse(subjects!)],
  );
  expect(lists).toEqual([
    [
      'publish',
      [
        '$JS.API.CONSUMER.CREATE.Z_GLOBAL.peer_eu-west.u.us-east.>',
        '$JS.API.CONSUMER.DELETE.Z_GLOBAL.peer_eu-west',
        '$JS.API.CONSUMER.INFO.Z_GLOBAL.peer_eu-west',
        '$JS.API.CONSUMER.MSG.NEXT.Z_GLOBAL.peer_eu-west',
        'ae.us-east.hello',
        'ae.us-east.stored',
        'ae.us-east.presence',
        'ae.us-east.ask',
        'ae.us-east.part.eu-west.*',
      ],
    ],
    ['subscribe', ['_INBOX_eu-west.>', 'p.us-east.>']],
  ]);
});
