import type { Editor } from '@tiptap/core';
import { useEditorState } from '@tiptap/react';
import type { ReactNode } from 'react';
import { ICONS } from './icons.tsx';

type Tool = {
  label: string;
  keys?: string;
  face: ReactNode;
  isOn?(editor: Editor): boolean;
  /** Whether it would do something; always when absent. */
  can?(editor: Editor): boolean;
  use(editor: Editor): void;
};

const MOD = /Mac|iPhone|iPad/.test(navigator.userAgent) ? '⌘' : 'Ctrl+';

const TOOLS: readonly (readonly Tool[])[] = [
  [
    {
      label: 'Bold',
      keys: `${MOD}B`,
      face: <b>B</b>,
      isOn: (editor) => editor.isActive('bold'),
      use: (editor) => editor.chain().focus().toggleBold().run(),
    },
    {
      label: 'Italic',
      keys: `${MOD}I`,
      face: <i>I</i>,
      isOn: (editor) => editor.isActive('italic'),
      use: (editor) => editor.chain().focus().toggleItalic().run(),
    },
    {
      label: 'Code',
      keys: `${MOD}E`,
      face: ICONS.code,
      isOn: (editor) => editor.isActive('code'),
      use: (editor) => editor.chain().focus().toggleCode().run(),
    },
  ],
  [heading(1), heading(2)],
  [
    {
      label: 'List',
      face: ICONS.list,
      isOn: (editor) => editor.isActive('bulletList'),
      use: (editor) => editor.chain().focus().toggleBulletList().run(),
    },
    {
      label: 'Numbered list',
      face: ICONS.numbered,
      isOn: (editor) => editor.isActive('orderedList'),
      use: (editor) => editor.chain().focus().toggleOrderedList().run(),
    },
    {
      label: 'Quote',
      face: ICONS.quote,
      isOn: (editor) => editor.isActive('blockquote'),
      use: (editor) => editor.chain().focus().toggleBlockquote().run(),
    },
    {
      label: 'Code block',
      face: ICONS.codeBlock,
      isOn: (editor) => editor.isActive('codeBlock'),
      use: (editor) => editor.chain().focus().toggleCodeBlock().run(),
    },
  ],
  [
    {
      label: 'Undo',
      keys: `${MOD}Z`,
      face: ICONS.undo,
      can: (editor) => editor.can().undo(),
      use: (editor) => editor.chain().focus().undo().run(),
    },
    {
      label: 'Redo',
      keys: `${MOD}Y`,
      face: ICONS.redo,
      can: (editor) => editor.can().redo(),
      use: (editor) => editor.chain().focus().redo().run(),
    },
  ],
];

function heading(level: 1 | 2): Tool {
  return {
    label: `Heading ${level}`,
    face: `H${level}`,
    isOn: (editor) => editor.isActive('heading', { level }),
    use: (editor) => editor.chain().focus().toggleHeading({ level }).run(),
  };
}

/** What one may do with the selection; pressed where it holds already. */
export function Toolbar({ editor }: { editor: Editor }) {
  const states = useEditorState({
    editor,
    selector: () =>
      TOOLS.flat().map(({ isOn, can }) => ({ isOn: isOn?.(editor), can: can?.(editor) ?? true })),
  });
  const stateOf = (tool: Tool) => states[TOOLS.flat().indexOf(tool)];
  return (
    <div className="toolbar" role="toolbar" aria-label="Formatting">
      {TOOLS.map((group) => (
        <div key={group[0]!.label} role="group">
          {group.map((tool) => (
            <button
              key={tool.label}
              type="button"
              aria-label={tool.label}
              title={tool.keys === undefined ? tool.label : `${tool.label} (${tool.keys})`}
              aria-pressed={stateOf(tool)?.isOn}
              disabled={stateOf(tool)?.can === false}
              // The selection stays in the text.
              onMouseDown={(event) => event.preventDefault()}
              onClick={() => tool.use(editor)}
            >
              {tool.face}
            </button>
          ))}
        </div>
      ))}
    </div>
  );
}
