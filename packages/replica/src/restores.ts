import {
  CausewayError,
  Command,
  ERRORS,
  commandId,
  type CommandOf,
  type ErrorCode,
} from '@causeway/protocol';
import { Value } from 'typebox/value';
import type { Answer } from './commands/context.ts';
import { restore, type RestoreParts } from './commands/restore.ts';
import { BusDown, type Bus } from './ports.ts';

type Parts = RestoreParts & {
  region: string;
  bus: Bus;
  /** The home region of a workspace; rejects while nobody can say. */
  home(workspace: string): Promise<string>;
  /** Rejects unless the member may have it carried out, by what is in force here. */
  mayDo(command: CommandOf<'restore'>): Promise<void>;
};

/** Restores of other regions under way at once; the bus answers four questions at a time, and the others have to go on. */
const FORWARDED = 2;
/** All restores under way at once in one process: each takes a session of the database. */
const AT_ONCE = 4;

type Said = { answer: Answer } | { problem: { code: string; detail: string; retryAfter?: number } };

/** Restores of this region's workspaces, and those that others forward to their home. */
export class Restores {
  readonly #parts: Parts;
  #forwarded = 0;
  #underWay = 0;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Where the command is carried out is the home's business; `not-ready` while that does not answer. */
  async execute(id: string, command: CommandOf<'restore'>): Promise<Answer> {
    const { region, bus, home } = this.#parts;
    const at = await home(command.workspace);
    if (at === region) return this.#restore(id, command);
    const said = await bus.ask(at, 'restore', encode(command)).catch((error: unknown) => {
      if (!(error instanceof BusDown)) throw error;
      throw new CausewayError('not-ready', 'the home region, which restores versions, does not answer', {
        retryAfter: 5,
      });
    });
    return read(said);
  }

  /** What another region forwards. */
  async answer(question: Uint8Array): Promise<Uint8Array> {
    if (this.#forwarded >= FORWARDED) return encode({ problem: problemOf(busy()) } satisfies Said);
    this.#forwarded++;
    try {
      const command = JSON.parse(new TextDecoder().decode(question)) as unknown;
      if (!Value.Check(Command, command) || command.kind !== 'restore')
        throw new CausewayError('invalid-request', 'this is no restore');
      // It may have moved since the other one looked.
      if ((await this.#parts.home(command.workspace)) !== this.#parts.region)
        throw new CausewayError('not-ready', 'the home region has moved; try again', { retryAfter: 1 });
      // The other region may not have heard yet that the member was removed.
      await this.#parts.mayDo(command);
      return encode({ answer: await this.#restore(commandId(command), command) } satisfies Said);
    } catch (error) {
      if (!(error instanceof CausewayError)) throw error;
      return encode({ problem: problemOf(error) } satisfies Said);
    } finally {
      this.#forwarded--;
    }
  }

  async #restore(id: string, command: CommandOf<'restore'>): Promise<Answer> {
    if (this.#underWay >= AT_ONCE) throw busy();
    this.#underWay++;
    try {
      return await restore(this.#parts, id, command);
    } finally {
      this.#underWay--;
    }
  }
}

const busy = (): CausewayError =>
  new CausewayError('not-ready', 'other versions are being restored; try again', { retryAfter: 1 });

const problemOf = ({ code, message: detail, retryAfter }: CausewayError) => ({
  code,
  detail,
  ...(retryAfter === undefined ? {} : { retryAfter }),
});

const encode = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));

function read(bytes: Uint8Array): Answer {
  const said = JSON.parse(new TextDecoder().decode(bytes)) as Said;
  if ('answer' in said) return said.answer;
  const { code, detail, retryAfter } = said.problem;
  throw new CausewayError(
    Object.hasOwn(ERRORS, code) ? (code as ErrorCode) : 'internal',
    detail,
    retryAfter === undefined ? {} : { retryAfter },
  );
}
