import { WebsocketProvider } from 'y-websocket';
import * as Y from 'yjs';
import { placeHere, showEditor } from './editor.ts';

const { url, name, token } = placeHere();
const doc = new Y.Doc();
const provider = new WebsocketProvider(`${url}/v1/sync`, name, doc, { params: { token } });
showEditor(provider, doc);
