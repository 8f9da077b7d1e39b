import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LIMITS } from './limits.ts';
import { mentionsIn, parseText, type Block, type Inline } from './text.ts';

/** The tree as short text, so that a table of examples can be read. */
const show = (body: string): string => parseText(body).map(block).join(' ');

function block(node: Block): string {
  if (node.kind === 'paragraph') return `p(${node.children.map(inline).join(' ')})`;
  if (node.kind === 'quote') return `quote(${node.blocks.map(block).join(' ')})`;
  if (node.kind === 'code-block') return `code:${node.language ?? ''}(${JSON.stringify(node.text)})`;
  return `list${node.start ?? ''}(${node.items.map((item) => item.map(block).join(' ')).join(' | ')})`;
}

function inline(node: Inline): string {
  if (node.kind === 'text') return JSON.stringify(node.text);
  if (node.kind === 'break') return '/';
  if (node.kind === 'code') return `code(${JSON.stringify(node.text)})`;
  if (node.kind === 'link') return `link:${node.href}(${node.children.map(inline).join(' ')})`;
  if (node.kind === 'member') return `@${node.member}`;
  if (node.kind === 'everyone') return `@@${node.who}`;
  if (node.kind === 'channel') return `#${node.channel}`;
  if (node.kind === 'emoji') return `:${node.name}:`;
  return `${node.kind}(${node.children.map(inline).join(' ')})`;
}

const MARKS = [
  '*',
  '**',
  '_',
  '~~',
  '`',
  '```',
  '\n',
  '\n\n',
  '> ',
  '- ',
  '1. ',
  '[',
  '](',
  ')',
  '<',
  '>',
  '\\',
];
const WORDS = [
  'http://x.org',
  'mailto:a',
  '@ada',
  '@ben_',
  '@channel',
  '#x',
  ':a:',
  ' ',
  '    ',
  '\0',
  '\ud800',
  '&lt;',
];

/** Each of them took seconds to minutes in parsers that were tried. */
const HOSTILE = ['[', ']', 'a](', '*', '*a _b ', '**a ', '> ', '>a\n', '- ', '` `` ', '~~a', '<a:', '[a]('];

describe('the text of a message', () => {
  it.each([
    ['', ''],
    ['plain', 'p("plain")'],
    ['two\nlines', 'p("two" / "lines")'],
    ['two\n\nparagraphs', 'p("two") p("paragraphs")'],
    ['**b** *i* _i_ ~~s~~ `c`', 'p(bold("b") " " italic("i") " " italic("i") " " strike("s") " " code("c"))'],
    ['**b *i* b**', 'p(bold("b " italic("i") " b"))'],
    ['> said\n> so', 'quote(p("said" / "so"))'],
    ['> > twice', 'quote(quote(p("twice")))'],
    ['```ts\nconst a = 1;\n```', 'code:ts("const a = 1;")'],
    ['```\nnever closed', 'code:("never closed")'],
    ['- a\n- b', 'list(p("a") | p("b"))'],
    ['3. a\n4. b', 'list3(p("a") | p("b"))'],
    ['# no heading', 'p("# no heading")'],
    ['    no code', 'p("no code")'],
    ['a\n---', 'p("a" / "---")'],
    ['<b>&lt;</b>', 'p("<b>&lt;</b>")'],
    ['![a](http://x.org/i.png)', 'p("!" link:http://x.org/i.png("a"))'],
    ['hi @ada, @ben.', 'p("hi " @ada ", " @ben ".")'],
    ['@channel @here', 'p(@@channel " " @@here)'],
    ['see #general :tada: 12:30:45', 'p("see " #general " " :tada: " 12:30:45")'],
    ['_@ada_ @ada_ @_x__', 'p(italic(@ada) " " @ada_ " " @_x__)'],
    ['**@ada** ~~#a_b_c~~', 'p(bold(@ada) " " strike(#a_b_c))'],
    ['ada@example.org é@ada x/@ada', 'p("ada@example.org é@ada x/@ada")'],
    ['\\@ada \\*a\\*', 'p("@ada *a*")'],
    ['`@ada` [@ada](http://x.org)', 'p(code("@ada") " " link:http://x.org(@ada))'],
    ['http://x.org/@ada.', 'p(link:http://x.org/@ada("http://x.org/@ada") ".")'],
    ['<mailto:ada@x.org>', 'p(link:mailto:ada@x.org("mailto:ada@x.org"))'],
    ['@ada--', 'p(@ada "--")'],
    [`@${'a'.repeat(65)}`, `p("@${'a'.repeat(65)}")`],
  ])('%j is %s', (body, tree) => expect(show(body)).toBe(tree));

  it.each([
    'javascript:alert(1)',
    'JaVaScript:alert(1)',
    ' java\tscript:alert(1)',
    'data:text/html,x',
    'vbscript:x',
    'file:///etc/passwd',
    '//evil.example',
    '/path',
    'ftp://x.org',
    '&#106;avascript:x',
    '\u0001javascript:x',
  ])('leads nowhere but to http, https and mailto: %j', (href) => {
    for (const body of [`[a](${href})`, `[a](<${href}>)`, `<${href}>`, href])
      expect(linksOf(parseText(body))).toEqual([]);
  });

  it('R10 nests no deeper than eight quotes, lists or marks, and loses no text by it', () => {
    expect(show(`${'>'.repeat(300)} x`)).toContain('> x"');
    expect(show(`${'- '.repeat(300)}x`)).toContain('- x"');
    for (const mark of ['*', '**', '*a ', '**a *b ~~c '])
      expect(
        depthOf(parseText(`${mark.repeat(300)}x${[...mark].toReversed().join('').repeat(300)}`)),
      ).toBeLessThan(12);
  });

  it('never throws, whatever the text', () => {
    const pieces = fc.constantFrom(...MARKS, ...WORDS);
    const hostile = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 200 }),
      fc.array(pieces, { maxLength: 60 }).map((parts) => parts.join('')),
    );
    fc.assert(
      fc.property(hostile, (body) => {
        const tree = parseText(body);
        expect(linksOf(tree).every((href) => /^(?:https?:\/\/|mailto:)/i.test(href))).toBe(true);
        mentionsIn(body);
      }),
      { numRuns: 1_000 },
    );
  });

  it.each(HOSTILE)(
    'R10 a hostile text as long as may be is done within the time of a test: %j …',
    (piece) => {
      const body = piece.repeat(LIMITS.bodyChars / piece.length);
      expect(parseText(body)).not.toEqual([]);
      expect(parseText(`${body}x`.repeat(2))).toHaveLength(1);
    },
  );
});

describe('mentions', () => {
  it.each([
    ['', [], '-'],
    ['nobody', [], '-'],
    ['ada@example.org', [], '-'],
    ['@ada and @ben and @ada', ['ada', 'ben'], '-'],
    ['@here', [], 'here'],
    ['@channel: @here', [], 'channel here'],
    ['`@ada` @ben', ['ben'], '-'],
    ['```\n@ada\n```\n> @ben', ['ben'], '-'],
    ['[@ada](http://x.org) http://x.org/@ben mailto:x@ada', [], '-'],
    ['\\@ada', [], '-'],
    ['_@ada_ **@ben**', ['ada', 'ben'], '-'],
    ['- @ada\n- **_@ben_**', ['ada', 'ben'], '-'],
  ])('in %j: %j %s', (body, members, everyone) => {
    const found = mentionsIn(body);
    expect(found.members).toEqual(members);
    expect([found.channel && 'channel', found.here && 'here'].filter(Boolean).join(' ') || '-').toBe(
      everyone,
    );
  });

  it('found without the tree are those of the tree', () => {
    const pieces = fc.constantFrom(...'@_*,é-&:$ \t\0\r\nx', '__', '> ', '- ', '1. ', '\n\n', ...WORDS);
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 12 }), (parts) => {
        const body = parts.join('');
        // An escape that escapes nothing sends the text through the tree.
        const { members, channel, here } = mentionsIn(`${body}\n\n\\a`);
        expect(mentionsIn(body)).toEqual({ members, channel, here });
      }),
      { numRuns: 2_000 },
    );
  });

  it(`R10 at most ${LIMITS.mentionsPerMessage} members of one message`, () => {
    const body = Array.from({ length: 1_000 }, (_, i) => `@m${i}`).join(' ');
    expect(mentionsIn(body).members).toHaveLength(LIMITS.mentionsPerMessage);
  });
});

function linksOf(blocks: readonly Block[]): string[] {
  const inlines = (children: readonly Inline[]): string[] =>
    children.flatMap((child) => [
      ...(child.kind === 'link' ? [child.href] : []),
      ...('children' in child ? inlines(child.children) : []),
    ]);
  return blocks.flatMap((node) => {
    if (node.kind === 'paragraph') return inlines(node.children);
    if (node.kind === 'quote') return linksOf(node.blocks);
    return node.kind === 'list' ? node.items.flatMap((item) => linksOf(item)) : [];
  });
}

const depthOf = (nodes: readonly (Block | Inline)[]): number =>
  Math.max(
    0,
    ...nodes.map((node) => {
      if (node.kind === 'list') return 1 + Math.max(...node.items.map((item) => depthOf(item)));
      return 'blocks' in node
        ? 1 + depthOf(node.blocks)
        : 'children' in node
          ? 1 + depthOf(node.children)
          : 0;
    }),
  );
