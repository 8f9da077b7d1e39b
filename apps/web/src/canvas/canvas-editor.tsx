import type { CanvasSnapshot } from '@causeway/client';
import { EditorContent, useEditor } from '@tiptap/react';
import { useEffect, useState } from 'react';
import { extensionsFor } from './extensions.ts';
import { Toolbar } from './toolbar.tsx';

/** Tiptap's own role is lost as soon as attributes are set again. */
const EDITOR_PROPS = {
  attributes: {
    'role': 'textbox',
    'aria-multiline': 'true',
    'aria-label': 'Text of the canvas',
    'class': 'sheet',
  },
};

type Props = Pick<CanvasSnapshot, 'doc' | 'awareness'> & { member: string; isEditable: boolean };

/** The text of one document, with everybody's carets. Needs a key of its own for each document. */
export function CanvasEditor({ doc, awareness, member, isEditable }: Props) {
  const [extensions] = useState(() => extensionsFor({ doc, awareness }, member));
  const editor = useEditor({
    extensions,
    editable: isEditable,
    editorProps: EDITOR_PROPS,
    // Not while React renders: others on the page hear at once of whom it announces.
    immediatelyRender: false,
  });
  useEffect(() => {
    editor?.setEditable(isEditable, false);
  }, [editor, isEditable]);
  return (
    <div className="canvas-text">
      {isEditable && editor !== null ? <Toolbar editor={editor} /> : null}
      <EditorContent editor={editor} className="sheet-frame" />
    </div>
  );
}
