import type { ChannelEntry } from '@causeway/client';

/** `#general`, or who a direct channel is with. */
export const titleOf = ({ kind, slug, others }: ChannelEntry): string =>
  kind === 'direct' ? (others ?? []).map((member) => `@${member}`).join(', ') : `#${slug}`;
