/** `wrong-use`: other arguments are needed, exit code 2. `failed`: exit code 1. */
export type FailureKind = 'failed' | 'wrong-use';

/** Ends a command with a message that says what to do next, and no stack trace. */
export class Failure extends Error {
  readonly kind: FailureKind;

  constructor(message: string, kind: FailureKind = 'failed', options?: ErrorOptions) {
    super(message, options);
    this.name = 'Failure';
    this.kind = kind;
  }
}
