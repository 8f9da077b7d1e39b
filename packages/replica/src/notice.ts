/** What happened, for logs and metrics. Never holds content, names of members or slugs (R6). */
export type Notice = {
  what:
    | 'started-over'
    | 'parked'
    | 'unparked'
    | 'lost'
    | 'gap'
    | 'commit-failed'
    | 'tidy-failed'
    | 'projector-failed'
    | 'compaction-failed'
    | 'scheduler-failed'
    | 'quarantined'
    | 'unpublishable'
    | 'outbox-trimmed'
    | 'repaired'
    | 'repair-failed'
    | 'diverged'
    | 'undecided'
    | 'generation-opened'
    | 'succession-failed'
    | 'changes-missing'
    | 'bus-down'
    | 'bus-up';
  [detail: string]: unknown;
};
