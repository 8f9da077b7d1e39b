import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findBasePort, startWorld, type World } from '@causeway/local';
import { canvasName } from '@causeway/protocol';
import type { Browser, Locator } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import * as Y from 'yjs';
import { connectDocument } from '../regions/documents.ts';
import { createCanvas } from '../regions/door-pair.ts';
import { ChatWindow } from './chat-window.ts';
import { findChromium, launch } from './chromium.ts';
import { RichText } from './rich-text.ts';
import { openStockPage } from './stock/pages.ts';

const chromium = findChromium();
const REGIONS = ['us-east', 'eu-west'] as const;

test.runIf(chromium === undefined)('canvases in a browser', ({ skip }) => {
  skip('there is no Chromium: install it (apt-get install chromium), or name one with CHROMIUM=<path>');
});

describe.skipIf(chromium === undefined)('canvases in a browser', () => {
  let home: string;
  let world: World;
  let browser: Browser;

  beforeAll(async () => {
    home = await mkdtemp(join(tmpdir(), 'causeway-canvas-'));
    [world, browser] = await Promise.all([
      startWorld({ home, basePort: await findBasePort(), regions: REGIONS, page: true }),
      launch(chromium!),
    ]);
  });

  afterAll(async () => {
    await browser?.close();
    await world?.stop();
    await rm(home, { recursive: true, force: true });
  });

  /** Cuts the link, lets both sides write alone, heals it. */
  async function apart(work: () => Promise<void>): Promise<void> {
    world.links.cut(...REGIONS);
    await world.links.assertCut(...REGIONS);
    try {
      await work();
    } finally {
      world.links.heal(...REGIONS);
    }
    await world.links.assertHealed(...REGIONS);
  }

  describe('two windows of the page in two regions', () => {
    let east: ChatWindow;
    let west: ChatWindow;
    let eastern: RichText;
    let western: RichText;

    beforeAll(async () => {
      [east, west] = await Promise.all([
        ChatWindow.open(browser, world.url, { region: 'us-east', workspace: 'demo', member: 'ada' }),
        ChatWindow.open(browser, world.url, { region: 'eu-west', workspace: 'demo', member: 'ben' }),
      ]);
      [eastern, western] = [textIn(east), textIn(west)];
      const title = east.page.getByRole('textbox', { name: 'Title of a new canvas' });
      await title.fill('Minutes');
      await title.press('Enter');
      await eastern.field.waitFor();
      await west.page.getByRole('link', { name: 'Minutes' }).click();
      await western.field.waitFor();
    });

    test('R1 bold text and a list are the same on both sides', async () => {
      await eastern.field.focus();
      await eastern.type('The **middle** part\n- one\nthree');
      await western.sees('three');
      await western.type('\ntwo', 'one');
      await western.select('part');
      await button(west, 'Italic').click();
      const both = '<p>The <strong>middle</strong> <em>part</em></p>';
      const list = '<ul><li><p>one</p></li><li><p>two</p></li><li><p>three</p></li></ul>';
      for (const text of [eastern, western]) await expect.poll(() => text.html()).toBe(both + list);
    });

    test('R11 each sees the caret of the other, and who is here', async () => {
      await eastern.putCaret('one');
      await western.putCaret('middle');
      await western.seesCaret('ada', 'one');
      await eastern.seesCaret('ben', 'middle');
      for (const { page } of [east, west])
        expect(await page.getByRole('list', { name: 'Who is here' }).innerText()).toMatch(/ada[^]*ben/);
      await west.page.goBack();
      await east.page.locator('.collaboration-carets__label').waitFor({ state: 'detached' });
      await west.page.getByRole('link', { name: 'Minutes' }).click();
      await western.sees('three');
    });

    test('what one person undoes is their own', async () => {
      await eastern.type(' by ada', 'one');
      await western.type(' by ben', 'two');
      await western.sees('by ada');
      await button(west, 'Undo').click();
      for (const text of [eastern, western]) {
        await expect.poll(() => text.html()).not.toContain('by ben');
        expect(await text.html()).toContain('one by ada');
      }
    });

    test('R5 with the link cut both go on writing; R1 healed, both have both', async () => {
      await apart(async () => {
        await eastern.type('\nfour in the east', 'three');
        await western.type(' in the west', 'two');
        expect(await eastern.html()).not.toContain('in the west');
        expect(await western.html()).not.toContain('in the east');
      });
      await eastern.sees('two in the west');
      await western.sees('four in the east');
      await expect.poll(() => eastern.html()).toBe(await western.html());
    });

    test('the title is written in place', async () => {
      const title = west.page.getByRole('textbox', { name: 'Title', exact: true });
      await title.fill('Minutes of Monday');
      await title.press('Enter');
      for (const { page } of [east, west])
        await page.getByRole('link', { name: 'Minutes of Monday' }).waitFor();
      await expect
        .poll(() => east.page.getByRole('textbox', { name: 'Title', exact: true }).inputValue())
        .toBe('Minutes of Monday');
    });

    test('a version is kept under a name, and restored once that is confirmed', async () => {
      const then = await eastern.html();
      await button(east, 'Versions').click();
      await east.page.getByRole('textbox', { name: 'Name of a new version' }).fill('Before the flood');
      await east.page.getByRole('textbox', { name: 'Name of a new version' }).press('Enter');
      await button(east, 'Restore Before the flood').waitFor();
      await eastern.type(' and a mistake', 'four in the east');
      await western.sees('and a mistake');
      await button(west, 'Versions').click();
      await button(west, 'Restore Before the flood').click();
      const asked = west.page.getByRole('group', { name: 'Restore Before the flood?' });
      expect(await western.html()).toContain('and a mistake');
      await asked.getByRole('button', { name: 'Replace' }).click();
      for (const text of [eastern, western]) await expect.poll(() => text.html()).toBe(then);
    });

    test('R12 who may only view cannot write, until the author lets them', async () => {
      const others = east.page.getByRole('combobox', { name: 'Others may' });
      await others.selectOption('view');
      await west.page.getByText('view only').waitFor();
      expect(await western.field.getAttribute('contenteditable')).toBe('false');
      expect(await west.page.getByRole('toolbar', { name: 'Formatting' }).count()).toBe(0);
      const before = await eastern.html();
      await western.field.click();
      await west.page.keyboard.type('not allowed');
      // Still seen by the author, who still writes.
      await eastern.type('!', 'four in the east');
      await western.sees('four in the east!');
      expect(await western.html()).toBe(before.replace('in the east', 'in the east!'));
      await others.selectOption('edit');
      await west.page.getByText('view only').waitFor({ state: 'detached' });
      await western.type(' again', 'four in the east!');
      await eastern.sees('four in the east! again');
    });

    test('the page itself broke nowhere', () => {
      expect([...east.complaints, ...west.complaints]).toEqual([]);
    });

    test('R3 what is written without the region survives leaving the canvas, and is sent afterwards', async () => {
      await world.kill('us-east', 'server');
      await east.page.locator('[data-connection=reconnecting]').waitFor();
      await eastern.type(' by herself', 'four in the east');
      await east.page.getByText('Not saved yet').waitFor();
      await east.page.goBack();
      await eastern.field.waitFor({ state: 'detached' });
      await east.page.goForward();
      await eastern.sees('by herself');
      expect(await western.html()).not.toContain('by herself');
      await world.restart('us-east', 'server');
      await western.sees('by herself');
      await east.page.getByText('Not saved yet').waitFor({ state: 'detached' });
    });

    test('R1 when a client has made the canvas differ for good, both editors go on in the new one', async () => {
      const name = canvasName('demo', new URL(east.page.url()).searchParams.get('canvas')!);
      const token = await world.token('chiara');
      const liars = REGIONS.map((region) => {
        const doc = new Y.Doc();
        doc.clientID = 7;
        return { region, doc, provider: connectDocument(doc, world.regions[region]!.url, name, token) };
      });
      await expect.poll(() => liars.every(({ provider }) => provider.synced)).toBe(true);
      await apart(async () => {
        // One clock of one client, with two contents.
        for (const { region, doc } of liars)
          doc.getXmlFragment('default').push([paragraph(`lie of ${region}`)]);
        await eastern.sees('lie of us-east');
        await western.sees('lie of eu-west');
      });
      for (const { provider } of liars) provider.destroy();
      // A process that begins compares at once; otherwise it takes a minute.
      await world.restart('eu-west', 'server');
      const bothSay = async (): Promise<boolean> => {
        const [one, other] = await Promise.all([eastern.html(), western.html()]);
        return one === other && /lie of (?:us-east|eu-west)/.test(one);
      };
      await expect.poll(bothSay, { timeout: 100_000 }).toBe(true);
      await eastern.type(' and the truth', 'lie of');
      await western.sees('and the truth');
      await western.type(' again', 'and the truth');
      await eastern.sees('and the truth again');
    });
  });

  test('R1 stock Tiptap over stock Hocuspocus here and stock y-websocket there: carets, a cut, equal documents', async () => {
    const [east, west] = REGIONS.map((region) => world.regions[region]!.url) as [string, string];
    const name = await createCanvas(east, await world.token('ada'));
    const place = async (url: string, user: string, color: string) => ({
      url: url.replace('http', 'ws'),
      name,
      token: await world.token(user),
      user,
      color,
    });
    await using hocuspocus = await openStockPage(browser, 'hocuspocus', await place(east, 'ada', '#aa3300'));
    await using websocket = await openStockPage(browser, 'websocket', await place(west, 'ben', '#0033aa'));
    const pages = [hocuspocus, websocket] as const;

    await hocuspocus.text.field.focus();
    await hocuspocus.text.type('# Stock\nwith **bold** text\n- one\ntwo');
    await websocket.text.sees('two');
    await websocket.text.type(' of the west', 'one');
    await hocuspocus.text.sees('one of the west');
    await hocuspocus.text.putCaret('Stock');
    await websocket.text.seesCaret('ada', 'Stock');
    await websocket.text.putCaret('two');
    await hocuspocus.text.seesCaret('ben', 'two');

    await apart(async () => {
      await Promise.all([
        hocuspocus.text.type(' of the **east**', 'two'),
        websocket.text.type(' on *both* sides', 'text'),
      ]);
      expect(await websocket.text.html()).not.toContain('east');
      expect(await hocuspocus.text.html()).not.toContain('both');
    });
    await websocket.text.sees('east');
    await hocuspocus.text.sees('both');
    await hocuspocus.text.putCaret('Stock');
    await websocket.text.seesCaret('ada', 'Stock');

    const isOne = async (): Promise<boolean> => {
      const [one, other] = await Promise.all(pages.map(({ state }) => state()));
      return one!.bytes === other!.bytes && one!.xml === other!.xml;
    };
    await expect.poll(isOne).toBe(true);
    const [one, other] = await Promise.all(pages.map(({ text }) => text.html()));
    expect(one).toBe(other);
    expect(one).toContain('<h1>Stock</h1><p>with <strong>bold</strong> text on <em>both</em> sides</p>');
    expect(one).toContain('<p>two of the <strong>east</strong></p>');
    for (const { complaints } of pages) expect(complaints).toEqual([]);
  });
});

function paragraph(text: string): Y.XmlElement {
  const made = new Y.XmlElement('paragraph');
  made.insert(0, [new Y.XmlText(text)]);
  return made;
}

const textIn = ({ page }: ChatWindow): RichText =>
  new RichText(page.getByRole('textbox', { name: 'Text of the canvas' }));

const button = ({ page }: ChatWindow, name: string): Locator =>
  page.getByRole('button', { name, exact: true });
