import { parseText, type Block, type Inline } from '@causeway/protocol';
import { Fragment, useMemo, type ReactNode } from 'react';

const EMOJI: Record<string, string> = {
  '+1': '👍',
  '-1': '👎',
  'eyes': '👀',
  'fire': '🔥',
  'heart': '❤️',
  'joy': '😂',
  'rocket': '🚀',
  'smile': '😄',
  'tada': '🎉',
  'thinking': '🤔',
  'wave': '👋',
  'white_check_mark': '✅',
};

type Props = {
  body: string;
  /** Who reads it: their own name stands out. */
  member: string;
};

/** The text of a message as it is meant: bold, code, quotes, names. */
export function MessageText({ body, member }: Props) {
  const blocks = useMemo(() => parseText(body), [body]);
  return <div className="body">{blocksOf(blocks, member)}</div>;
}

const blocksOf = (blocks: readonly Block[], member: string): ReactNode =>
  blocks.map((block, at) => <BlockOf key={at} block={block} member={member} />);

function BlockOf({ block, member }: { block: Block; member: string }) {
  switch (block.kind) {
    case 'paragraph':
      return <p>{inlinesOf(block.children, member)}</p>;
    case 'quote':
      return <blockquote>{blocksOf(block.blocks, member)}</blockquote>;
    case 'code-block':
      return (
        <pre>
          <code>{block.text}</code>
        </pre>
      );
    case 'list': {
      const items = block.items.map((item, at) => <li key={at}>{blocksOf(item, member)}</li>);
      return block.start === undefined ? <ul>{items}</ul> : <ol start={block.start}>{items}</ol>;
    }
  }
}

const inlinesOf = (inlines: readonly Inline[], member: string): ReactNode =>
  inlines.map((inline, at) => <Fragment key={at}>{inlineOf(inline, member)}</Fragment>);

function inlineOf(inline: Inline, member: string): ReactNode {
  switch (inline.kind) {
    case 'text':
      return inline.text;
    case 'break':
      return <br />;
    case 'bold':
      return <strong>{inlinesOf(inline.children, member)}</strong>;
    case 'italic':
      return <em>{inlinesOf(inline.children, member)}</em>;
    case 'strike':
      return <s>{inlinesOf(inline.children, member)}</s>;
    case 'code':
      return <code>{inline.text}</code>;
    case 'link':
      return (
        <a href={inline.href} target="_blank" rel="noopener noreferrer">
          {inlinesOf(inline.children, member)}
        </a>
      );
    case 'member':
      return <mark className={inline.member === member ? 'name me' : 'name'}>@{inline.member}</mark>;
    case 'everyone':
      return <mark className="name me">@{inline.who}</mark>;
    case 'channel':
      return <mark className="name">#{inline.channel}</mark>;
    case 'emoji':
      return EMOJI[inline.name] ?? `:${inline.name}:`;
  }
}
