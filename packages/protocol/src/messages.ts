import type { CommandOf, Right } from './commands.ts';
import type { ErrorCode } from './errors.ts';

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
  /** A reply that is shown in the channel too. */
  also?: true;
  /** Hybrid time of the winning edit. */
  editedAt?: number;
  /** Earlier and concurrent bodies, oldest first; absent when never edited. */
  history?: { body: string; v: number }[];
  /** Members by reaction; absent without reactions. */
  reactions?: Record<string, string[]>;
  /** The thread that this message is the root of; absent without replies. */
  replies?: Replies;
};

/** What a list of messages says of a thread. */
export type Replies = {
  /** 10,000 stands for that many or more. */
  count: number;
  /** Order time of the last one. */
  last: string;
  /** Who replied, whoever did so last first; 20 at most. */
  participants: string[];
};

/** A page of a thread, its root with it while that is there. */
export type ThreadPage = Page<Message> & { root?: Message };
/** A message that mentions the asker, and where. */
export type Mention = { channel: string; message: Message };

export type Page<T> = {
  items: T[];
  /** Pass as `cursor` for what is older; absent at the end. */ next?: string;
};

export type Canvas = { id: string; title: string; author: string; document: string };

/** A version of a canvas as the cell `version|<id>` about the canvas has it. */
export type CanvasVersion = {
  title: string;
  /** Who made it, and when by their clock, milliseconds since 1970. */
  by: string;
  at: number;
  /** Bytes of the copy that was made; 0 for that of an empty canvas, which has no document. */
  bytes: number;
  /** When a region made it, by its own clock; absent in what a version before wrote. */
  kept?: number;
};

/** A version in the list of a canvas' versions; `document` opens it read-only. */
export type ListedVersion = CanvasVersion & { id: string; document: string };

/** Who may do what with a canvas: its author everything, others what is said for them, else for `*`, else edit. */
export type CanvasShares = {
  /** Absent while the region does not have the canvas in its list. */
  author?: string;
  yours: Right;
  items: { to: string; right: Right }[];
};

/** The cell `scheduled|<id of the post>` of a member; null when it was cancelled. */
export type Scheduled =
  | {
      post: CommandOf<'post'>;
      /** When it is due, milliseconds since 1970. */
      at: number;
      /** Where it was scheduled. */
      region: string;
      /** It was due and could not be sent, for good: the code says why. */
      failed?: ErrorCode;
    }
  /** It was sent; `at` is when it was due. */
  | { sent: true; at: number };
