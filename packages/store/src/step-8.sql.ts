/** What the projector has to look at again when the rest of a segment arrives. */
export const STEP_8 = `
  -- Segments that lacked something when rows of them were projected, and the messages that those touched, as JSON.
  create table causeway.awaiting (
    zone text collate "C" not null,
    document text collate "C" not null,
    ids text collate "C" not null,
    primary key (zone, document)
  );
  `;
