import { HocuspocusProvider } from '@hocuspocus/provider';
import * as Y from 'yjs';
import { placeHere, showEditor } from './editor.ts';

const { url, name, token } = placeHere();
const doc = new Y.Doc();
const provider = new HocuspocusProvider({ url: `${url}/v1/collab`, name, document: doc, token });
showEditor(provider, doc);
