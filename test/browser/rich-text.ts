import type { Locator } from 'playwright-core';

/** An editor of rich text on a page, as a person uses it. Everything here waits for what it says. */
export class RichText {
  readonly field: Locator;

  constructor(field: Locator) {
    this.field = field;
  }

  /** Types at the end of the line that holds this text; `undefined` is where the caret is. */
  async type(keys: string, after?: string): Promise<void> {
    const { keyboard } = this.field.page();
    if (after !== undefined) await this.putCaret(after);
    for (const line of keys.split(/(\n)/))
      await (line === '\n' ? keyboard.press('Enter') : keyboard.type(line));
  }

  /** Selects this text, which stands in one piece. */
  async select(text: string): Promise<void> {
    await this.#choose(text, 'all');
  }

  /** Behind this text. */
  async putCaret(text: string): Promise<void> {
    await this.#choose(text, 'end');
  }

  /** Resolves once it has this text. */
  async sees(text: string): Promise<void> {
    await this.field.getByText(text).first().waitFor();
  }

  /** Resolves once the caret of somebody else is in the block with this text. */
  async seesCaret(name: string, text: string): Promise<void> {
    const label = this.field.page().locator('.collaboration-carets__label', { hasText: name });
    await this.field.locator('p, h1, h2', { hasText: text }).filter({ has: label }).waitFor();
  }

  /** What it shows, as HTML without what is there for people's carets. */
  html(): Promise<string> {
    return this.field.evaluate((field) => {
      const copy = field.cloneNode(true) as HTMLElement;
      for (const each of copy.querySelectorAll('.collaboration-carets__caret, .ProseMirror-separator, br'))
        each.remove();
      for (const each of copy.querySelectorAll('.ProseMirror-yjs-selection'))
        each.replaceWith(...each.childNodes);
      copy.normalize();
      return copy.innerHTML.replaceAll(/ (?:class|data-placeholder)="[^"]*"/g, '');
    });
  }

  /** Puts the selection there as the browser does it, and waits until the editor has taken it over. */
  async #choose(text: string, where: 'all' | 'end'): Promise<void> {
    await this.sees(text);
    await this.field.focus();
    await this.field.evaluate(
      async (field, { text, where }) => {
        const walker = document.createTreeWalker(field, NodeFilter.SHOW_TEXT);
        while (walker.nextNode()) {
          const node = walker.currentNode as Text;
          const at = node.data.indexOf(text);
          if (at === -1) continue;
          const end = at + text.length;
          const start = where === 'all' ? at : end;
          const selection = getSelection()!;
          const isThere = selection.anchorNode === node && selection.focusNode === node;
          if (isThere && selection.anchorOffset === start && selection.focusOffset === end) return;
          const heard = new Promise((resolve) => {
            document.addEventListener('selectionchange', resolve, { once: true });
          });
          selection.setBaseAndExtent(node, start, node, end);
          await heard;
          return;
        }
        throw new Error(`no text node holds "${text}"`);
      },
      { text, where },
    );
  }
}
