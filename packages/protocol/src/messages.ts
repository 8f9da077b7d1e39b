/** A message as readers see it: the union of its copies and the winner of its edits. */
export type Message = {
  id: string;
  author: string;
  body: string;
  /** Order on screen: text, compares as it is; ties go by id. */
  t: string;
  /** Wall time of acceptance, milliseconds since 1970. */
  at: number;
  /** The region that accepted it. */
  region: string;
  /** The message that this one answers. */
  thread?: string;
  /** Hybrid time of the winning edit. */
  editedAt?: number;
  /** Earlier and concurrent bodies, oldest first; absent when never edited. */
  history?: { body: string; v: number }[];
  /** Members by reaction; absent without reactions. */
  reactions?: Record<string, string[]>;
};

export type Page<T> = {
  items: T[];
  /** Pass as `cursor` for what is older; absent at the end. */ next?: string;
};

export type Canvas = { id: string; title: string; author: string; document: string };
