import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import type { Browser } from 'playwright-core';
import { build, type Rolldown } from 'vite';
import { complaintsOf } from '../complaints.ts';
import { RichText } from '../rich-text.ts';
import type { DocumentState, StockPlace } from './editor.ts';

export type StockPage = {
  text: RichText;
  complaints: string[];
  state(): Promise<DocumentState>;
} & AsyncDisposable;

/** Opens stock Tiptap over that stock provider, bundled and served as an app would be, in a browser of its own. */
export async function openStockPage(
  browser: Browser,
  provider: 'hocuspocus' | 'websocket',
  place: StockPlace,
): Promise<StockPage> {
  const served = await serve(pageOf(await bundle(provider)));
  const context = await browser.newContext();
  const page = await context.newPage();
  const complaints = complaintsOf(page);
  await page.goto(`${served.url}#${new URLSearchParams(place)}`);
  return {
    text: new RichText(page.locator('.ProseMirror')),
    complaints,
    state: () => page.evaluate(() => (window as unknown as { stateOf(): DocumentState }).stateOf()),
    async [Symbol.asyncDispose]() {
      await context.close();
      served.close();
    },
  };
}

async function bundle(provider: string): Promise<string> {
  const result = await build({
    configFile: false,
    logLevel: 'error',
    root: fileURLToPath(new URL('.', import.meta.url)),
    build: {
      write: false,
      minify: false,
      rolldownOptions: {
        input: fileURLToPath(new URL(`${provider}.ts`, import.meta.url)),
        output: { codeSplitting: false },
      },
    },
  });
  return (result as Rolldown.RolldownOutput).output[0].code;
}

const pageOf = (script: string): string =>
  // What closes the element would end the script in the middle of a string.
  `<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><title>Stock</title><body><script type="module">${script.replaceAll('</script', String.raw`<\/script`)}</script>`;

/** On this machine: Chromium lets no other page speak to a region here. */
async function serve(html: string): Promise<{ url: string; close(): void }> {
  const server = createServer((_, response) => {
    response.setHeader('content-type', 'text/html').end(html);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/`,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}
