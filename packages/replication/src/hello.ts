import { BusDown, type Hello } from '@causeway/replica';

/** Reads a peer's answer; rejects with BusDown what is not one. */
export function readHello(bytes: Uint8Array): Hello {
  let answer: unknown;
  try {
    answer = JSON.parse(new TextDecoder().decode(bytes));
  } catch (error) {
    throw new BusDown('the answer to hello is not JSON', { cause: error });
  }
  if (isHello(answer)) return { incarnation: answer.incarnation, lastSequence: answer.lastSequence };
  throw new BusDown('the answer to hello lacks an incarnation or a sequence');
}

const isHello = (answer: unknown): answer is Hello =>
  typeof answer === 'object' &&
  answer !== null &&
  'incarnation' in answer &&
  typeof answer.incarnation === 'string' &&
  'lastSequence' in answer &&
  Number.isSafeInteger(answer.lastSequence);
