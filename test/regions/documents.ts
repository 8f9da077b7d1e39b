import { HocuspocusProvider } from '@hocuspocus/provider';
import { WebsocketProvider } from 'y-websocket';
import * as Y from 'yjs';

/** Opens a document with the stock provider; resolves when it has synced, rejects when it is closed for good. */
export async function openDocument(
  regionUrl: string,
  name: string,
  token: string,
): Promise<{ doc: Y.Doc; provider: WebsocketProvider }> {
  const doc = new Y.Doc();
  const provider = connectDocument(doc, regionUrl, name, token);
  await new Promise<void>((resolve, reject) => {
    provider.once('sync', () => resolve());
    provider.once('closed', ({ code, reason }) => reject(new Error(`${name} was closed: ${code} ${reason}`)));
  });
  return { doc, provider };
}

/** The stock provider, unmodified, as an app would set it up. */
export function connectDocument(
  doc: Y.Doc,
  regionUrl: string,
  name: string,
  token: string,
): WebsocketProvider {
  const url = `${regionUrl.replace('http', 'ws')}/v1/sync`;
  return new WebsocketProvider(url, name, doc, { params: { token }, disableBc: true });
}

/** The stock Hocuspocus provider, unmodified, as an app would set it up. */
export const connectCollab = (
  doc: Y.Doc,
  regionUrl: string,
  name: string,
  token: string,
): HocuspocusProvider =>
  new HocuspocusProvider({
    url: `${regionUrl.replace('http', 'ws')}/v1/collab`,
    name,
    document: doc,
    token,
  });

/** A document's bytes as a region serves it, re-encoded from a fresh copy: equal content, equal bytes. */
export async function reencoded(regionUrl: string, name: string, token: string): Promise<string> {
  const { doc, provider } = await openDocument(regionUrl, name, token);
  const fresh = new Y.Doc();
  Y.applyUpdate(fresh, Y.encodeStateAsUpdate(doc));
  provider.destroy();
  doc.destroy();
  return Buffer.from(Y.encodeStateAsUpdate(fresh)).toString('base64');
}
