/** One thing that was to be proved, and what came out. */
export type Finding = { what: string; value: string; holds: boolean };
