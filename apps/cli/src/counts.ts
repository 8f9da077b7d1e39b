import { InvalidArgumentError } from 'commander';

/** A whole number from 1 on; for commander. */
export function count(text: string): number {
  const number = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(number) && number > 0) return number;
  throw new InvalidArgumentError('Write a whole number from 1 on.');
}
