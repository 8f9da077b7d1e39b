/**
 * Lengths of the lines of a busy public channel (#ubuntu, 2004-2009, 9,361 lines, 57 characters on
 * average) at these shares of all lines.
 */
const SHARES = [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1] as const;
const CHARS = [1, 8, 16, 24, 33, 41, 51, 65, 84, 122, 166, 266, 438] as const;

const SYLLABLES = 'e ta o in a ro s hi l d u cy mo g fer pe y b v kan ing tw ex j'.split(' ');
/** With Zipf's law over so many words, 500 lines deflate to the share of themselves that real ones do: 0.43. */
const WORDS = Array.from({ length: 30_000 }, (_, at) => wordNumber(at));

/** A line as chat has them: lengths of real ones, and words that compress like real ones. */
export function chatText(random: () => number = Math.random): string {
  const length = lengthAt(random());
  let text = wordAt(random());
  while (text.length < length) text += ` ${wordAt(random())}`;
  return text.slice(0, length).trimEnd();
}

/** Frequent words are short and have low numbers. */
function wordNumber(at: number): string {
  let word = '';
  for (let left = at + 1; left > 0; left = Math.floor(left / SYLLABLES.length))
    word += SYLLABLES[left % SYLLABLES.length];
  return word;
}

/** Zipf's law: the n-th word comes 1/n as often as the first. */
const wordAt = (share: number): string => WORDS[Math.floor(WORDS.length ** share) - 1]!;

function lengthAt(share: number): number {
  const above = SHARES.findIndex((each) => each > share);
  const [from, to] = [SHARES[above - 1]!, SHARES[above]!];
  const [low, high] = [CHARS[above - 1]!, CHARS[above]!];
  return Math.round(low + ((share - from) / (to - from)) * (high - low));
}
