/** One-way delays in milliseconds, about what the public internet gives between these places. */
const ONE_WAY_MS: Readonly<Record<string, number>> = {
  'eu-west us-east': 40,
  'eu-central us-east': 45,
  'ap-south us-east': 95,
  'eu-central eu-west': 8,
  'ap-south eu-west': 60,
  'ap-south eu-central': 55,
};

/** The longest one-way delay that a link can be given, in milliseconds. */
export const MAX_DELAY_MS = 60_000;

/** The delay of a road, in milliseconds. */
export type Delays = (from: string, to: string) => number;

/** The same in both directions; 40 ms between places that are not on the map. */
export const defaultDelays: Delays = (from, to) => ONE_WAY_MS[[from, to].sort().join(' ')] ?? 40;
