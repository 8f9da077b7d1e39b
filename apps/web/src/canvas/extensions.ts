import type { CanvasSnapshot } from '@causeway/client';
import type { Extensions } from '@tiptap/core';
import { Collaboration } from '@tiptap/extension-collaboration';
import { CollaborationCaret } from '@tiptap/extension-collaboration-caret';
import { Placeholder } from '@tiptap/extensions';
import { StarterKit } from '@tiptap/starter-kit';
import { colorOf } from '../member-color.ts';

/**
 * Rich text in the field `default` of the document, where any Tiptap puts it. StarterKit's own undo
 * would take back what others wrote; its trailing paragraph would be written into the document by
 * everybody who only looks at it.
 */
export const extensionsFor = (
  { doc, awareness }: Pick<CanvasSnapshot, 'doc' | 'awareness'>,
  member: string,
): Extensions => [
  StarterKit.configure({ undoRedo: false, trailingNode: false }),
  Placeholder.configure({ placeholder: 'Write something. Everybody here sees it as you type.' }),
  Collaboration.configure({ document: doc }),
  CollaborationCaret.configure({
    provider: { awareness },
    user: { name: member, color: colorOf(member) },
  }),
];
