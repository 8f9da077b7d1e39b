/**
 * Finding scheduled posts that are due. The value of a cell is canonical JSON, its keys in order: one that
 * waits begins with `at` and `post`, one that failed has `failed` between them, one that was sent has no post.
 */
export const STEP_9 = `
  create index cells_due on causeway.cells
    (zone, (substring(value from '^\\{"at":([0-9]{1,16}),"post":')::bigint))
    where key like 'scheduled|%' and substring(value from '^\\{"at":([0-9]{1,16}),"post":') is not null;
  `;
