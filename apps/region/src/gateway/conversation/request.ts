import { CausewayError, Command, LIMITS, REQUESTS, type Request } from '@causeway/protocol';
import { Compile, type Validator } from 'typebox/compile';

/** A request as it came: perhaps a number to answer under, and what it asks for, or why it cannot be read. */
export type Taken = { ref: number | undefined } & ({ request: Request } | { refused: CausewayError });

/** Compiled when first needed. One schema for each, so that an error names the field and not the whole union. */
const validators = new Map<string, Validator>();
const COMMANDS = new Map(Command.anyOf.map((schema) => [schema.properties.kind.const as string, schema]));

/** Reads a request; never throws, whatever the text is. */
export function readRequest(text: string): Taken {
  if (text.length > LIMITS.requestBytes)
    return {
      ref: undefined,
      refused: new CausewayError(
        'body-too-large',
        `a request has at most ${LIMITS.requestBytes} characters; send less at once`,
      ),
    };
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return { ref: undefined, refused: new CausewayError('invalid-json', 'a request is one JSON object') };
  }
  const { ref, do: what } = (typeof json === 'object' && json !== null ? json : {}) as Record<
    string,
    unknown
  >;
  const number = typeof ref === 'number' && Number.isSafeInteger(ref) && ref >= 0 ? ref : undefined;
  try {
    return { ref: number, request: check(json, what) };
  } catch (error) {
    return { ref: number, refused: error as CausewayError };
  }
}

function check(json: unknown, what: unknown): Request {
  if (typeof what !== 'string' || !Object.hasOwn(REQUESTS, what))
    throw new CausewayError(
      'invalid-request',
      `a request says what to do: one of ${Object.keys(REQUESTS).join(', ')}`,
    );
  // The command by its own schema first: its error says more than that of the union.
  if (what === 'command') checkCommand((json as { command?: unknown }).command);
  const schema = REQUESTS[what as keyof typeof REQUESTS];
  mustMatch(what, () => Compile(schema), json, '');
  return json as Request;
}

function checkCommand(command: unknown): void {
  const kind = (typeof command === 'object' && command !== null ? command : {}) as { kind?: unknown };
  const schema = typeof kind.kind === 'string' ? COMMANDS.get(kind.kind) : undefined;
  if (schema === undefined)
    throw new CausewayError(
      'invalid-request',
      `/command/kind must be one of ${[...COMMANDS.keys()].join(', ')}`,
    );
  mustMatch(`command ${kind.kind as string}`, () => Compile(schema), command, '/command');
}

function mustMatch(name: string, compile: () => Validator, json: unknown, path: string): void {
  let validator = validators.get(name);
  if (validator === undefined) validators.set(name, (validator = compile()));
  if (validator.Check(json)) return;
  const [first] = validator.Errors(json);
  throw new CausewayError(
    'invalid-request',
    `${path}${first?.instancePath ?? ''} ${first?.message ?? 'is not valid'}`.trim(),
  );
}
