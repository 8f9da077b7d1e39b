import MarkdownIt, { type StateInline, type Token } from 'markdown-it';
import { isId } from './ids.ts';
import { LIMITS } from './limits.ts';

/**
 * The text of a message, Markdown-like, as a small tree. There is no HTML in it and no heading, table,
 * image or indented code: a message that pastes a log keeps its lines. Links lead to http, https or
 * mailto, everything else stays text. Whoever shows a message walks this tree and never the text.
 *
 * markdown-it parses: of the parsers that were tried it alone stays linear on hostile input (40,000
 * characters cost at most 0.3 s on a busy core; micromark took 63 s for nested emphasis, commonmark
 * 5 s for open links). What is ours is members, channels and emoji, and that nothing nests deeply.
 */
export type Block =
  | { kind: 'paragraph'; children: Inline[] }
  | { kind: 'quote'; blocks: Block[] }
  | { kind: 'code-block'; language?: string; text: string }
  | { kind: 'list'; start?: number; items: Block[][] };

export type Inline =
  | { kind: 'text'; text: string }
  | { kind: 'break' }
  | { kind: 'bold' | 'italic' | 'strike'; children: Inline[] }
  | { kind: 'code'; text: string }
  | { kind: 'link'; href: string; children: Inline[] }
  /** `@ada`; whether there is such a member, the reader knows. */
  | { kind: 'member'; member: string }
  /** `@channel` and `@here`: all its members, and those of them who are online. */
  | { kind: 'everyone'; who: 'channel' | 'here' }
  /** `#general`. */
  | { kind: 'channel'; channel: string }
  /** `:tada:`, without the colons. */
  | { kind: 'emoji'; name: string };

/** Whom a message mentions. */
export type Mentions = {
  /** Distinct, in the order of their first mention, at most LIMITS.mentionsPerMessage. */
  members: readonly string[];
  channel: boolean;
  here: boolean;
};

/** Quotes and lists inside one another; beyond it their marks are text. Bold in italic in … likewise. */
const DEPTH = 8;

const SAFE = /^(?:https?:\/\/|mailto:)/i;

const markdown = new MarkdownIt({ html: false, linkify: true, breaks: true, maxNesting: 100 });
markdown.linkify
  .set({ fuzzyLink: false, fuzzyEmail: false, fuzzyIP: false })
  .add('ftp:', null)
  .add('//', null);
markdown.validateLink = (href) => SAFE.test(href);
limitDepth('blockquote', ['paragraph', 'blockquote', 'list']);
limitDepth('list', ['paragraph', 'blockquote']);
markdown.block.ruler.enableOnly(['paragraph', 'fence', 'blockquote', 'list']);
markdown.inline.ruler.disable(['entity', 'image', 'html_inline']);
markdown.inline.ruler.before('emphasis', 'names', nameRule);

/** Takes a text apart; never throws, whatever it is. */
export function parseText(body: string): Block[] {
  if (body.length > LIMITS.bodyChars) return plain(body);
  try {
    return treeOf(markdown.parse(body, {}));
  } catch {
    // None is known that gets here; if there is one, it is shown as it is, and stops no reader of a channel.
    return plain(body);
  }
}

const NOBODY: Mentions = { members: [], channel: false, here: false };
const CANDIDATE = /(?<![\p{L}\p{N}.@/&+-])@[A-Za-z0-9_-]/u;
/** What makes code, a link or an escape: without any of it every name in the text is a mention. */
const HIDES = /[`~[<\\]|:\/\/|mailto:/i;

/** Whom a text mentions; code and links mention nobody. Cheap while there is no `@` in it. */
export function mentionsIn(body: string): Mentions {
  if (!body.includes('@') || body.length > LIMITS.bodyChars || !CANDIDATE.test(body)) return NOBODY;
  const found = { members: new Set<string>(), channel: false, here: false };
  const note = (name: string): void => {
    if (name === 'channel' || name === 'here') found[name] = true;
    else if (found.members.size < LIMITS.mentionsPerMessage) found.members.add(name);
  };
  if (HIDES.test(body)) mentionsOf(parseText(body), note);
  else
    for (let at = body.indexOf('@'); at >= 0; at = body.indexOf('@', at + 1)) {
      const name = nameAt(body, at, body.length);
      if (name !== undefined) note(name);
    }
  const { members, channel, here } = found;
  return members.size === 0 && !channel && !here ? NOBODY : { members: [...members], channel, here };
}

/** The depth of a tree is bounded by DEPTH, so this may recurse. */
function mentionsOf(blocks: readonly Block[], note: (name: string) => void): void {
  const inlines = (children: readonly Inline[]): void => {
    for (const child of children)
      if (child.kind === 'member') note(child.member);
      else if (child.kind === 'everyone') note(child.who);
      else if ('children' in child && child.kind !== 'link') inlines(child.children);
  };
  for (const block of blocks)
    if (block.kind === 'paragraph') inlines(block.children);
    else if (block.kind === 'quote') mentionsOf(block.blocks, note);
    else if (block.kind === 'list') for (const item of block.items) mentionsOf(item, note);
}

const plain = (body: string): Block[] => [
  { kind: 'paragraph', children: body === '' ? [] : [{ kind: 'text', text: body }] },
];

/** `interrupts`: what such a block may stand in the middle of. */
function limitDepth(name: string, interrupts: string[]): void {
  const rules = markdown.block.ruler;
  // A ruler gives out no rule by its name, but those that are enabled.
  rules.enableOnly([name]);
  const [rule] = rules.getRules('');
  rules.at(name, (state, start, end, silent) => state.level < DEPTH && rule!(state, start, end, silent), {
    alt: interrupts,
  });
}

/** A name begins where no word, address or path is under way. */
const WITHIN = /[\p{L}\p{N}.@/&+-]$/u;
const NAME = /[A-Za-z0-9_-]+/y;

/**
 * The name behind the sign at `at`. Nicknames end with `_`, so underscores belong to it, but for as
 * many as stand right before the sign: `_@ada_` is Ada in italics.
 */
function nameAt(text: string, at: number, end: number): string | undefined {
  let before = at;
  while (before > 0 && text[before - 1] === '_') before--;
  // Two units at most are looked at: a letter may be a surrogate pair.
  if (WITHIN.test(text.slice(Math.max(0, before - 2), before))) return undefined;
  NAME.lastIndex = at + 1;
  let name = NAME.exec(text)?.[0].slice(0, end - at - 1);
  if (name === undefined) return undefined;
  name = name.replace(/-+$/, '');
  for (let marks = at - before; marks > 0 && name.endsWith('_'); marks--) name = name.slice(0, -1);
  return isId(name) ? name : undefined;
}

const EMOJI = /:([a-z0-9_+-]{1,64}):/y;

/** `@member`, `#channel`, `:emoji:`, before underscores inside them can be taken for emphasis. */
function nameRule(state: StateInline, silent: boolean): boolean {
  const { src, pos, posMax } = state;
  const sign = src[pos];
  if (sign !== '@' && sign !== '#' && sign !== ':') return false;
  const name = sign === ':' ? emojiAt(src, pos, posMax) : nameAt(src, pos, posMax);
  if (name === undefined) return false;
  if (!silent) state.push(sign, '', 0).content = name;
  state.pos = pos + 1 + name.length + (sign === ':' ? 1 : 0);
  return true;
}

function emojiAt(text: string, at: number, end: number): string | undefined {
  if (/[\p{L}\p{N}]$/u.test(text.slice(Math.max(0, at - 2), at))) return undefined;
  EMOJI.lastIndex = at;
  const name = EMOJI.exec(text)?.[1];
  return name === undefined || at + name.length + 2 > end ? undefined : name;
}

type Place = { open: string; blocks: Block[] } | { open: 'list'; items: Block[][] };

/** From markdown-it's flat list of tokens; without recursion, since the list may nest as it likes. */
function treeOf(tokens: readonly Token[]): Block[] {
  const root: Block[] = [];
  const open: Place[] = [{ open: '', blocks: root }];
  const add = (block: Block): void => {
    const place = open.at(-1)!;
    if ('blocks' in place) place.blocks.push(block);
  };
  for (const token of tokens)
    switch (token.type) {
      case 'inline':
        add({ kind: 'paragraph', children: inlinesOf(token.children ?? []) });
        break;
      case 'fence':
        add(codeBlock(token));
        break;
      case 'blockquote_open': {
        const quote: Block = { kind: 'quote', blocks: [] };
        add(quote);
        open.push({ open: 'quote', blocks: quote.blocks });
        break;
      }
      case 'bullet_list_open':
      case 'ordered_list_open': {
        const ordered = token.type === 'ordered_list_open';
        const list: Block & { kind: 'list' } = {
          kind: 'list',
          ...(ordered ? { start: Number(token.attrGet('start') ?? 1) } : {}),
          items: [],
        };
        add(list);
        open.push({ open: 'list', items: list.items });
        break;
      }
      case 'list_item_open': {
        const item: Block[] = [];
        const list = open.at(-1)!;
        if ('items' in list) list.items.push(item);
        open.push({ open: 'item', blocks: item });
        break;
      }
      case 'blockquote_close':
      case 'bullet_list_close':
      case 'ordered_list_close':
      case 'list_item_close':
        open.pop();
        break;
    }
  return root;
}

function codeBlock({ info, content }: Token): Block {
  const language = info.trim().split(/\s/, 1)[0]!;
  const text = content.endsWith('\n') ? content.slice(0, -1) : content;
  return isId(language) ? { kind: 'code-block', language, text } : { kind: 'code-block', text };
}

const MARKS: Record<string, 'bold' | 'italic' | 'strike'> = { strong: 'bold', em: 'italic', s: 'strike' };

function inlinesOf(tokens: readonly Token[]): Inline[] {
  const root: Inline[] = [];
  const open: Inline[][] = [root];
  for (const token of tokens)
    if (token.nesting === 1) open.push(openMark(token, open.at(-1)!, open.length > DEPTH));
    else if (token.nesting === -1) open.pop();
    else addLeaf(open.at(-1)!, token);
  return root;
}

/** Where what stands inside the mark goes: into `around` itself when it is too deep, or a link that leads nowhere. */
function openMark(token: Token, around: Inline[], tooDeep: boolean): Inline[] {
  const href = String(token.attrGet('href'));
  const mark = MARKS[token.type.slice(0, token.type.lastIndexOf('_'))];
  // An empty address is not shown to validateLink.
  if (tooDeep || (mark === undefined && !SAFE.test(href))) return around;
  const children: Inline[] = [];
  around.push(mark === undefined ? { kind: 'link', href, children } : { kind: mark, children });
  return children;
}

function addLeaf(into: Inline[], { type, content }: Token): void {
  const last = into.at(-1);
  if (type === 'softbreak' || type === 'hardbreak') into.push({ kind: 'break' });
  else if (type === 'code_inline') into.push({ kind: 'code', text: content });
  else if (type === '@')
    into.push(
      content === 'channel' || content === 'here'
        ? { kind: 'everyone', who: content }
        : { kind: 'member', member: content },
    );
  else if (type === '#') into.push({ kind: 'channel', channel: content });
  else if (type === ':') into.push({ kind: 'emoji', name: content });
  else if (content === '') return;
  else if (last?.kind === 'text') last.text += content;
  else into.push({ kind: 'text', text: content });
}
