import type { Delays } from '../links/index.ts';

/** What a start is made of, in the order in which a person thinks of it. */
export type Progress = { step: string; state: 'running' | 'done'; text: string };

export type WorldOptions = {
  /** The folder that holds everything of this world; made when missing. */
  home: string;
  /** Web page and control at this port, regions right above it, everything else above +10. */
  basePort: number;
  /** All four by default. */
  regions?: readonly string[];
  /** One-way delays in milliseconds; by default about those of the real world. */
  delays?: Delays;
  /** Server processes of each region, 1 to 4; 1 by default. `false`: Postgres, NATS and links only. */
  servers?: number | false;
  /** What to run instead of apps/region. */
  serverEntry?: string;
  /** Start again what ends by itself; `true` by default. What `kill` killed stays dead in any case. */
  supervise?: boolean;
  /** Build the web page first when it is not up to date; `false` by default. */
  page?: boolean;
  /** Calls a start off, and nothing else: a world that is up is ended by `stop`. */
  signal?: AbortSignal;
  /** Called when somebody asks for the end through the control API; by default the world stops. */
  onDown?: () => void;
  onProgress?: (progress: Progress) => void;
  /** What happens to a world that is up: a part died, runs again, … */
  onEvent?: (line: string) => void;
  /** `DATABASE_URL` and `NATS_URL` are read from here; `process.env` by default. */
  env?: Readonly<Record<string, string | undefined>>;
};
