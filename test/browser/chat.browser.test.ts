import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findBasePort, startWorld, type World } from '@causeway/local';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ChatWindow } from './chat-window.ts';
import { findChromium, launch } from './chromium.ts';

const chromium = findChromium();

test.runIf(chromium === undefined)('the page in a browser', ({ skip }) => {
  skip('there is no Chromium: install it (apt-get install chromium), or name one with CHROMIUM=<path>');
});

describe.skipIf(chromium === undefined)('two windows in two regions', () => {
  let home: string;
  let world: World;
  let browser: Browser;
  let east: ChatWindow;
  let west: ChatWindow;

  beforeAll(async () => {
    home = await mkdtemp(join(tmpdir(), 'causeway-browser-'));
    [world, browser] = await Promise.all([
      startWorld({ home, basePort: await findBasePort(), regions: ['us-east', 'eu-west'], page: true }),
      launch(chromium!),
    ]);
    [east, west] = await Promise.all([
      ChatWindow.open(browser, world.url, { region: 'us-east', workspace: 'demo', member: 'ada' }),
      ChatWindow.open(browser, world.url, { region: 'eu-west', workspace: 'demo', member: 'ben' }),
    ]);
  });

  afterAll(async () => {
    await browser?.close();
    await world?.stop();
    await rm(home, { recursive: true, force: true });
  });

  test('what is written in one appears in the other, with the region that took it', async () => {
    await east.write('Hello from the east');
    const seen = await west.sees('Hello from the east');
    expect(await seen.locator('.tag').textContent()).toBe('us-east');
    expect(await seen.locator('.author').textContent()).toBe('ada');
  });

  test('a reaction shows on both sides and can be taken back', async () => {
    await west.press('Hello from the east', 'React with 🎉');
    await byBen(east).waitFor();
    await byBen(west).click();
    await byBen(east).waitFor({ state: 'detached' });
  });

  test('an edit shows on both sides, and what was said before on demand', async () => {
    await east.press('Hello from the east', 'Edit');
    const field = east.page.getByRole('textbox', { name: 'Edit message' });
    await field.fill('Good morning from the east');
    await field.press('Enter');
    await west.press('Good morning from the east', 'edited');
    await west.page
      .getByRole('list', { name: 'Earlier versions' })
      .getByText('Hello from the east')
      .waitFor();
  });

  test('Esc leaves an edit, and the message as it was', async () => {
    await east.press('Good morning from the east', 'Edit');
    const field = east.page.getByRole('textbox', { name: 'Edit message' });
    await field.fill('never mind');
    await field.press('Escape');
    await field.waitFor({ state: 'detached' });
    await east.sees('Good morning from the east');
  });

  test('a reply stands below what it answers', async () => {
    await west.press('Good morning from the east', 'Reply');
    const field = west.page.getByRole('textbox', { name: 'Reply to ada' });
    await field.fill('And to you');
    await field.press('Enter');
    await east.page.locator('.replies').getByText('And to you', { exact: true }).waitFor();
  });

  test('a deleted message is gone on both sides', async () => {
    await west.write('Soon to be gone');
    await east.sees('Soon to be gone');
    await west.press('Soon to be gone', 'Delete');
    await west.page
      .getByRole('group', { name: 'Delete this message?' })
      .getByRole('button', { name: 'Delete' })
      .click();
    await west.misses('Soon to be gone');
    await east.misses('Soon to be gone');
  });

  test('a canvas is written from both sides at once', async () => {
    const title = east.page.getByRole('textbox', { name: 'Title of a new canvas' });
    await title.fill('Minutes');
    await title.press('Enter');
    const eastern = east.page.getByRole('textbox', { name: 'Text of Minutes' });
    await eastern.fill('The middle.');
    await west.page.getByRole('link', { name: 'Minutes' }).click();
    const western = west.page.getByRole('textbox', { name: 'Text of Minutes' });
    await expect.poll(() => western.inputValue()).toBe('The middle.');
    await western.press('ControlOrMeta+Home');
    await eastern.press('ControlOrMeta+End');
    await Promise.all([
      western.pressSequentially('In the west. '),
      eastern.pressSequentially(' In the east.'),
    ]);
    for (const field of [eastern, western])
      await expect.poll(() => field.inputValue()).toBe('In the west. The middle. In the east.');
    for (const { page } of [east, west]) await page.getByRole('link', { name: '# general' }).click();
  });

  test('R5 with the link cut both sides go on; R3 healed, both have both', async () => {
    await east.link('Cut', 'us-east', 'eu-west');
    await world.links.assertCut('us-east', 'eu-west');
    await east.write('Written in the east, alone');
    await west.write('Written in the west, alone');
    await east.page.getByText('has not heard eu-west').waitFor();
    expect(await east.message('Written in the west, alone').count()).toBe(0);
    expect(await west.message('Written in the east, alone').count()).toBe(0);

    await west.link('Heal', 'us-east', 'eu-west');
    await east.sees('Written in the west, alone');
    await west.sees('Written in the east, alone');
    await expect.poll(() => order(east)).toEqual(await order(west));
  });

  test('a window shows the loss of its region, keeps what is written, and sends it afterwards', async () => {
    await world.kill('us-east', 'server');
    await east.page.locator('[data-connection=reconnecting]').waitFor();
    const field = east.page.getByRole('textbox', { name: 'Message #general' });
    await field.fill('Written to nobody');
    await field.press('Enter');
    await east.page.locator('.message[data-state=sending]', { hasText: 'Written to nobody' }).waitFor();
    await world.restart('us-east', 'server');
    await east.sees('Written to nobody');
    await west.sees('Written to nobody');
    expect(await west.message('Written to nobody').count()).toBe(1);
  });

  test('the page itself broke nowhere', () => {
    const ours = [...east.complaints, ...west.complaints].filter((text) => !isAboutTheKilledServer(text));
    expect(ours).toEqual([]);
  });
});

const byBen = (window: ChatWindow) =>
  window.message('Hello from the east').getByRole('button', { name: '🎉 by ben' });

const order = (window: ChatWindow) => window.page.locator('.message .body').allTextContents();

/** What Chromium itself says about connections to a server that is not there. */
const isAboutTheKilledServer = (text: string): boolean =>
  /ERR_CONNECTION_REFUSED|ERR_EMPTY_RESPONSE|ERR_CONNECTION_RESET|ERR_FAILED|WebSocket connection to/.test(
    text,
  );
