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
    await west.press('Good morning from the east', 'edited');
  });

  test('Esc leaves an edit, and the message as it was', async () => {
    await east.press('Good morning from the east', 'Edit');
    const field = east.page.getByRole('textbox', { name: 'Edit message' });
    await field.fill('never mind');
    await field.press('Escape');
    await field.waitFor({ state: 'detached' });
    await east.sees('Good morning from the east');
  });

  test('a thread has its replies beside the channel, and one that is sent to the channel too stands in both', async () => {
    await west.press('Good morning from the east', 'Reply');
    const thread = west.page.getByRole('region', { name: 'Thread' });
    const field = thread.getByRole('textbox', { name: 'Reply to ada' });
    await field.fill('And to you');
    await field.press('Enter');
    await east.page.getByRole('button', { name: '1 reply' }).click();
    const eastern = east.page.getByRole('region', { name: 'Thread' });
    await eastern.getByText('And to you', { exact: true }).waitFor();
    expect(await east.page.getByRole('log', { name: 'Messages' }).getByText('And to you').count()).toBe(0);
    await thread.getByRole('checkbox').check();
    await field.fill('It is noon here');
    await field.press('Enter');
    await east.page.getByRole('log', { name: 'Messages' }).getByText('It is noon here').waitFor();
    await east.page.getByRole('button', { name: '2 replies' }).waitFor();
    for (const { page } of [east, west]) await page.getByRole('button', { name: 'Close the thread' }).click();
  });

  test('a pin shows on both sides, and is taken out by either', async () => {
    await east.press('Good morning from the east', 'Pin');
    await west.page.getByRole('button', { name: '1 pin' }).click();
    const pinned = west.page.getByRole('list', { name: 'Pinned messages' });
    await pinned.getByText('Good morning from the east').waitFor();
    await pinned.getByRole('button', { name: 'Unpin' }).click();
    await east.page.getByRole('button', { name: '1 pin' }).waitFor({ state: 'detached' });
  });

  test('who writes is seen to write; the draft is on their other device, and here after a reload', async () => {
    const field = west.page.getByRole('textbox', { name: 'Message #general' });
    await field.pressSequentially('Not yet');
    await east.page.getByText('ben is typing …').waitFor();
    const other = await ChatWindow.open(browser, world.url, {
      region: 'us-east',
      workspace: 'demo',
      member: 'ben',
    });
    const there = other.page.getByRole('textbox', { name: 'Message #general' });
    await expect.poll(() => there.inputValue()).toBe('Not yet');
    await west.page.reload();
    await expect.poll(() => field.inputValue()).toBe('Not yet');
    await field.fill('');
    await expect.poll(() => there.inputValue()).toBe('');
    await other.page.context().close();
  });

  test('a channel that is made on one side is joined on the other; what is unread there, and who is meant, shows', async () => {
    await east.page.getByRole('button', { name: 'Browse channels' }).click();
    const name = east.page.getByRole('textbox', { name: 'Name of a new channel' });
    await name.fill('lighthouse');
    await name.press('Enter');
    await east.page.getByRole('textbox', { name: 'Message #lighthouse' }).waitFor();
    await west.page.getByRole('button', { name: 'Browse channels' }).click();
    await west.page.getByRole('button', { name: 'Join #lighthouse' }).click();
    await west.page.getByRole('button', { name: 'Leave #lighthouse' }).waitFor();
    await west.page.getByRole('button', { name: 'Close' }).click();
    await east.write('Nobody in particular');
    const link = west.page.getByRole('link', { name: 'lighthouse' });
    await link.getByLabel('1 unread').waitFor();
    await east.write('Is **that** you, @ben?');
    await link.getByLabel('1 mention').waitFor();
    await link.click();
    await west.page.getByText('Is that you, @ben?').waitFor();
    await link.getByLabel('1 mention').waitFor({ state: 'detached' });
    for (const { page } of [east, west]) await page.getByRole('link', { name: '# general' }).click();
  });

  test('two talk alone, and each sees that the other is here', async () => {
    await east.page.getByRole('button', { name: 'online ben' }).click();
    await east.page.getByRole('textbox', { name: 'Message @ben' }).fill('Only for you');
    await east.page.getByRole('textbox', { name: 'Message @ben' }).press('Enter');
    await west.page.getByRole('button', { name: 'online ada 1 mention' }).click();
    await west.sees('Only for you');
    await west.page.getByRole('combobox', { name: 'Your availability' }).selectOption('dnd');
    await east.page.getByRole('button', { name: 'do not disturb ben' }).waitFor();
    await west.page.getByRole('combobox', { name: 'Your availability' }).selectOption('auto');
    for (const { page } of [east, west]) await page.getByRole('link', { name: '# general' }).click();
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
