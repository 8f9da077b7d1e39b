/** Prefix of the subjects that a region's answers come to, at its peers' brokers. */
export const inboxOf = (region: string): string => `_INBOX_${region}`;

/**
 * Which peer a request is from, told by where it wants its answer. Undefined for any other place:
 * we may publish everywhere in the account, so answering there would lend a peer our rights.
 */
export const askerOf = (reply: string | undefined, peers: readonly string[]): string | undefined =>
  peers.find((peer) => reply?.startsWith(`${inboxOf(peer)}.`));
