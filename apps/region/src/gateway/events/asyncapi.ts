import { EVENT_FRAMES, MOMENTS, PUSHES, REPLIES, REQUESTS, SIGNS } from '@causeway/protocol';
import { Type, type TSchema } from 'typebox';

type Message = { name: string; title: string; payload: unknown };
type Operation = { action: 'send' | 'receive'; channel: Ref; summary: string; messages: Ref[] };
type Ref = { $ref: string };

/** AsyncAPI 3, from the point of view of the region: it sends events and replies, and receives requests. */
export type AsyncApi = {
  asyncapi: '3.0.0';
  info: { title: string; version: string; description: string };
  defaultContentType: string;
  channels: { events: { address: string; messages: Record<string, Ref>; bindings: unknown } };
  operations: Record<string, Operation>;
  components: { messages: Record<string, Message> };
};

/** The address of the door. */
const QUERY = Type.Object({
  token: Type.String({ description: 'an access token' }),
  cursor: Type.Optional(
    Type.String({ description: 'of an event or a heartbeat, by any process of any region: go on behind it' }),
  ),
  channels: Type.Optional(
    Type.String({
      description: 'ids or slugs, with commas between: to hear of beside those that were joined',
    }),
  ),
});

/** The description of `/v1/events`, made from the schemas by which requests are checked and frames are typed. */
export function asyncApi(): AsyncApi {
  const messages: Record<string, Message> = {};
  const add = (kind: string, schemas: Readonly<Record<string, TSchema>>): string[] =>
    Object.entries(schemas).map(([name, schema]) => {
      const id = `${kind}-${name}`;
      messages[id] = { name: id, title: `${kind}: ${name}`, payload: plain(schema) };
      return id;
    });
  const requests = add('request', REQUESTS);
  const replies = [...add('reply', REPLIES), ...add('push', { cells: PUSHES.cells })];
  const passing = new Set([...Object.keys(MOMENTS), ...Object.keys(SIGNS)]);
  const lasting = Object.keys(EVENT_FRAMES).filter((name) => !passing.has(name));
  const events = add('event', only(EVENT_FRAMES, lasting));
  const moments = add('event', only(EVENT_FRAMES, Object.keys(MOMENTS)));
  const signs = add('event', only(EVENT_FRAMES, Object.keys(SIGNS)));
  return {
    asyncapi: '3.0.0',
    info: {
      title: 'Causeway events',
      version: '1',
      description:
        'What happens in a workspace, and commands with replies, as JSON in the text frames of a WebSocket. Closed with 4000-4099: reconnect here with the last cursor; 4100-4199: at another region; 4400-4499: stop.',
    },
    defaultContentType: 'application/json',
    channels: {
      events: {
        address: '/v1/events',
        messages: Object.fromEntries(
          Object.keys(messages).map((id) => [id, { $ref: `#/components/messages/${id}` }]),
        ),
        bindings: { ws: { method: 'GET', query: plain(QUERY), bindingVersion: '0.1.0' } },
      },
    },
    operations: {
      happenings: operation('send', 'What happened, with a cursor to go on behind it', events),
      moments: operation('send', 'What is true for a moment, and never repeated', moments),
      signs: operation('send', 'What is said about the connection', signs),
      replies: operation('send', 'Answers to requests', replies),
      requests: operation('receive', 'What a client asks for', requests),
    },
    components: { messages },
  };
}

const operation = (action: 'send' | 'receive', summary: string, ids: readonly string[]): Operation => ({
  action,
  channel: { $ref: '#/channels/events' },
  summary,
  messages: ids.map((id) => ({ $ref: `#/channels/events/messages/${id}` })),
});

/** JSON Schema as it is sent: what typebox keeps beside it is left out. */
const plain = (schema: TSchema): unknown => JSON.parse(JSON.stringify(schema));

const only = (
  schemas: Readonly<Record<string, TSchema>>,
  names: readonly string[],
): Record<string, TSchema> => Object.fromEntries(names.map((name) => [name, schemas[name]!]));
