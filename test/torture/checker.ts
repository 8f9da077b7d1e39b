import { channelScope, messageScope, type CommandOf, type Message } from '@causeway/protocol';
import { Segment, orderOf, reactionsIn, unionOf, type Copy } from '@causeway/replica';
import type { DiskLoss } from './disk-loss.ts';
import type { Held } from './held.ts';
import type { Journal, Operation } from './journal.ts';

/**
 * `lost`: acknowledged and not there (R3). `duplicated`: there twice (R4). `diverged`: two regions, or
 * a region and what its processes and views show, differ (R1, R9, R15). `invented`: there, and nobody
 * sent it (R4).
 */
export type Rule = 'lost' | 'duplicated' | 'diverged' | 'invented';
export type Finding = { rule: Rule; region: string; text: string };

export type Verdict = {
  findings: Finding[];
  /** Acknowledged operations and canvas words that were looked for in every region. */
  checked: number;
  /** Missing, and gone with a disk before another region had them. */
  lostWithDisk: number;
};

type Copies = { channel: string; copies: Copy[] };
type Content = ReadonlyMap<string, Copies>;

/** Compares what the clients were told with what every region holds and shows. */
export function check(journal: Journal, diskLoss: DiskLoss, held: readonly Held[]): Verdict {
  const findings: Finding[] = [];
  const sent = new Map(journal.operations.map((operation) => [operation.id, operation]));
  const acknowledged = journal.operations.filter(({ outcome }) => outcome.acknowledged);
  const missing = new Set<string>();
  for (const region of held) {
    const find = (rule: Rule, text: string): void =>
      void findings.push({ rule, region: region.region, text });
    const content = contentOf(region);
    for (const operation of acknowledged) {
      const why = lost(operation, content, region);
      if (why === undefined) continue;
      if (isExcused(operation, diskLoss)) missing.add(operation.id);
      else find('lost', `${operation.command.kind} ${operation.id}, ${how(operation)}: ${why}`);
    }
    for (const text of words(journal, diskLoss, region, missing)) find(...text);
    for (const text of invented(sent, content, region)) find('invented', text);
    for (const text of twice(region)) find('duplicated', text);
    for (const text of different(region, held[0]!)) find('diverged', text);
    for (const text of wrongViews(content, region)) find('diverged', text);
  }
  return { findings, checked: acknowledged.length + journal.words.size, lostWithDisk: missing.size };
}

const isExcused = ({ id, endedAt, outcome }: Operation, diskLoss: DiskLoss): boolean =>
  outcome.acknowledged && outcome.level === 'region' && diskLoss.excuses(id, endedAt);

function how({ outcome, endedAt }: Operation): string {
  if (!outcome.acknowledged) return 'not acknowledged';
  return `acknowledged by ${outcome.region} at level ${outcome.level} at ${new Date(endedAt).toISOString()}`;
}

function contentOf({ documents }: Held): Content {
  const content = new Map<string, Copies>();
  for (const [name, doc] of documents) {
    const [workspace, kind, channel] = name.split('/') as [string, string, string];
    if (kind !== 'segment') continue;
    const segment = new Segment(doc);
    for (const id of new Set([...segment.ids(), ...segment.deletedIds()])) {
      const message = content.get(id) ?? { channel: channelScope(workspace, channel), copies: [] };
      message.copies.push(segment.copy(id));
      content.set(id, message);
    }
  }
  return content;
}

/** Why an acknowledged operation has not the effect that it must have, if so. */
function lost({ id, command, outcome }: Operation, content: Content, { cells }: Held): string | undefined {
  if (!outcome.acknowledged) return undefined;
  const copies = content.get('message' in command ? command.message : id)?.copies ?? [];
  const isDeleted = copies.some(({ deleted }) => deleted);
  switch (command.kind) {
    case 'post':
      return isDeleted || copies.some(({ posts }) => posts.length > 0) ? undefined : 'it is not there';
    case 'delete':
      return isDeleted ? undefined : 'the message is not deleted';
    case 'edit': {
      const shown = unionOf(copies, Number.MAX_SAFE_INTEGER);
      if (isDeleted || (shown?.editedAt ?? 0) >= command.v) return undefined;
      return `the message shows ${shown?.editedAt ?? 'no edit'}, the edit is of ${command.v}`;
    }
    default: {
      const low = outcome.token.find(
        (entry) => 'scope' in entry && (cells.get(`${entry.scope} ${entry.key}`)?.v ?? '') < entry.v,
      );
      return low === undefined ? undefined : 'its cell is missing or older';
    }
  }
}

/** Words of canvases that others saw, and nobody removed. */
function words(
  journal: Journal,
  diskLoss: DiskLoss,
  { documents }: Held,
  missing: Set<string>,
): [Rule, string][] {
  const found: [Rule, string][] = [];
  const counts = new Map<string, number>();
  const canvases = new Set(journal.written.values());
  for (const document of canvases)
    for (const word of documents.get(document)?.getArray<string>('words').toArray() ?? []) {
      counts.set(word, (counts.get(word) ?? 0) + 1);
      if (!journal.written.has(word)) found.push(['invented', `the word ${word} in ${document}`]);
    }
  for (const [word, count] of counts)
    if (count > 1) found.push(['duplicated', `the word ${word} stands ${count} times`]);
  for (const { word, document, seenAt } of journal.words.values()) {
    if (counts.has(word) || journal.removed.has(word)) continue;
    if (diskLoss.excuses(word, seenAt)) missing.add(word);
    else found.push(['lost', `the word ${word} of ${document}, seen at ${new Date(seenAt).toISOString()}`]);
  }
  return found;
}

function* invented(
  sent: ReadonlyMap<string, Operation>,
  content: Content,
  { cells }: Held,
): Generator<string> {
  const deletes = new Set(
    [...sent.values()].flatMap(({ command }) => (command.kind === 'delete' ? [command.message] : [])),
  );
  for (const [id, { copies }] of content) {
    const post = sent.get(id)?.command;
    if (post?.kind !== 'post') yield `message ${id}`;
    else if (copies.some(({ deleted }) => deleted) && !deletes.has(id)) yield `the deletion of ${id}`;
    else if (
      copies.some(({ posts }) => posts.some(({ value }) => value.b !== post.body || value.a !== post.member))
    )
      yield `the text of ${id}`;
    for (const { command, value } of copies.flatMap(({ edits }) => edits)) {
      const edit = sent.get(command)?.command;
      if (edit?.kind !== 'edit' || edit.message !== id || edit.body !== value.b || edit.v !== value.v)
        yield `the edit ${command} of ${id}`;
    }
  }
  for (const { scope, key, v, value } of cells.values()) {
    // Others count: markers and tops.
    const id = /^[0-9a-z]{11}\.([\w-]{22})$/.exec(v)?.[1];
    if (id === undefined) continue;
    const operation = sent.get(id);
    if (operation === undefined || v !== orderOf((operation.command as CommandOf<'react'>).v, id))
      yield `the cell ${key} of ${scope}`;
    else if (operation.command.kind === 'react' && operation.command.on !== value)
      yield `the reaction ${key} of ${scope}`;
  }
}

function* twice({ shown }: Held): Generator<string> {
  for (const { who, messages } of shown)
    for (const [channel, all] of messages) {
      const [ids, posts] = [new Set<string>(), new Set<string>()];
      for (const message of all) {
        const { id, author } = message;
        // Every post of a member is another text.
        const post = `${author} ${message.history?.[0]?.body ?? message.body}`;
        if (ids.has(id)) yield `${who} shows ${id} of ${channel} twice`;
        else if (posts.has(post)) yield `${who} shows what ${id} of ${channel} says twice`;
        ids.add(id);
        posts.add(post);
      }
    }
}

function* different(region: Held, first: Held): Generator<string> {
  for (const name of new Set([...region.states.keys(), ...first.states.keys()])) {
    const [one, other] = [region.states.get(name), first.states.get(name)];
    if (one === undefined || other === undefined || !one.equals(other))
      yield `${name} is not as in ${first.region}`;
  }
  for (const key of new Set([...region.cells.keys(), ...first.cells.keys()]))
    if (JSON.stringify(region.cells.get(key)) !== JSON.stringify(first.cells.get(key)))
      yield `the cell ${key} is not as in ${first.region}`;
  for (const { key, scope } of region.cells.values())
    if (key.startsWith('generation|')) yield `a canvas was declared diverged: ${key} of ${scope}`;
  for (const name of region.wrongDigests) yield `the digest of ${name} is not that of what is there`;
  for (const { who, documents } of region.shown)
    for (const [name, state] of documents)
      if (state !== region.states.get(name)?.toString('base64'))
        yield `${who} serves another ${name} than its log`;
}

function* wrongViews(content: Content, { view, shown, cells }: Held): Generator<string> {
  const expected = new Map<string, string>();
  for (const [id, { channel, copies }] of content) {
    const message = unionOf(copies, Number.MAX_SAFE_INTEGER);
    if (message !== undefined) expected.set(`${channel}/${id}`, textOf(message));
  }
  for (const place of new Set([...expected.keys(), ...view.keys()])) {
    const message = view.get(place);
    if (message === undefined) yield `the view lacks ${place}`;
    else if (expected.get(place) !== textOf(message))
      yield `the view shows ${place} ${expected.has(place) ? 'otherwise than a rebuild' : 'though it is gone'}`;
  }
  const reactions = Map.groupBy(cells.values(), ({ scope }) => scope);
  const inChannels = Map.groupBy(view.keys(), (place) => place.slice(0, place.lastIndexOf('/')));
  for (const { who, messages } of shown)
    for (const [scope, places] of inChannels) {
      const [workspace, , channel] = scope.split('/') as [string, string, string];
      const all = messages.get(channel) ?? [];
      if (all.length !== places.length)
        yield `${who} shows ${all.length} of ${places.length} messages of ${channel}`;
      for (const message of all) {
        const held = reactionsIn(reactions.get(messageScope(workspace, channel, message.id)) ?? []);
        if (expected.get(`${scope}/${message.id}`) !== textOf(message))
          yield `${who} shows ${message.id} of ${channel} otherwise than its log`;
        else if (sortedText(held) !== sortedText(message.reactions ?? {}))
          yield `${who} shows other reactions of ${message.id} of ${channel} than its cells`;
      }
    }
}

/** Without its time on the wall, which a reader's clock bounds, and reactions, which are cells. */
const textOf = (message: Message): string =>
  JSON.stringify(
    Object.entries(message)
      .filter(([field]) => field !== 'at' && field !== 'reactions')
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  );

const sortedText = (reactions: Readonly<Record<string, string[]>>): string =>
  Object.entries(reactions)
    .flatMap(([emoji, members]) => members.map((member) => `${emoji}|${member}`))
    .sort()
    .join(' ');
