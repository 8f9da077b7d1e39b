/** Which copy of a document that diverged goes on, and finding the cells that say where. */
export const STEP_3 = `
  -- One row per document and generation, written once: what this region decided for its zone.
  create table causeway.decisions (
    zone text collate "C" not null,
    document text collate "C" not null,
    generation int not null,
    keep text collate "C" not null,
    equivocators text collate "C" not null,
    state bytea not null,
    at timestamptz not null default now(),
    primary key (zone, document, generation)
  );

  -- Few of all cells, read often.
  create index cells_generation on causeway.cells (zone, scope, key) where key like 'generation|%';
  `;
