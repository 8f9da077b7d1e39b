import type { Browser, Locator, Page } from 'playwright-core';
import { complaintsOf } from './complaints.ts';

/** One window of the chat page, as a person uses it. Everything here waits for what it says. */
export class ChatWindow {
  readonly page: Page;
  readonly complaints: readonly string[];

  private constructor(page: Page) {
    this.page = page;
    this.complaints = complaintsOf(page);
  }

  /** Opens the page at a place, in a browser of its own, and waits until it is live. */
  static async open(browser: Browser, url: string, place: Record<string, string>): Promise<ChatWindow> {
    const context = await browser.newContext();
    const window = new ChatWindow(await context.newPage());
    await window.page.goto(`${url}/?${new URLSearchParams(place)}`);
    await window.page.locator('[data-connection=live]').waitFor();
    return window;
  }

  /** The message with this text, as the region holds it. */
  message(text: string): Locator {
    return this.page.locator('.message[data-state=held]', {
      has: this.page.locator('.body', { hasText: new RegExp(`^${RegExp.escape(text)}$`) }),
    });
  }

  async sees(text: string): Promise<Locator> {
    const message = this.message(text);
    await message.waitFor();
    return message;
  }

  async misses(text: string): Promise<void> {
    await this.page.getByText(text, { exact: true }).waitFor({ state: 'detached' });
  }

  async write(text: string): Promise<void> {
    const field = this.page.getByRole('textbox', { name: /^Message #/ });
    await field.fill(text);
    await field.press('Enter');
    // What is bold or code is not shown as it was written.
    await this.sees(text.replaceAll(/[*`]/g, ''));
  }

  /** Presses a button of a message; they show when the pointer is there. */
  async press(text: string, button: string): Promise<void> {
    const message = await this.sees(text);
    await message.hover();
    await message.getByRole('button', { name: button, exact: true }).click();
  }

  async link(action: 'Cut' | 'Heal', a: string, b: string): Promise<void> {
    await this.page.getByRole('button', { name: `${action} the link between ${a} and ${b}` }).click();
    const opposite = action === 'Cut' ? 'Heal' : 'Cut';
    await this.page.getByRole('button', { name: `${opposite} the link between ${a} and ${b}` }).waitFor();
  }
}
