/** What the control API of the local world tells, as far as this page uses it. */
export type World = {
  regions: WorldRegion[];
  links: Road[];
  workspaces: Workspace[];
  members: string[];
};
export type WorldRegion = {
  region: string;
  url: string;
  zones: string[];
  ready: boolean;
  parts: Record<string, { state: string }>;
  /** One entry per zone and peer. */
  peers: { region: string; connected: boolean; lagMs?: number; heardAt?: number }[];
  waiting: { zone: string; publishes: { updates: number } }[];
};
/** One direction of a link. */
export type Road = { from: string; to: string; delayMs: number; cut?: string };
export type Workspace = {
  id: string;
  slug: string;
  name: string;
  zone: string;
  channels: { id: string; slug: string }[];
};

const PATIENCE_MS = 5_000;

export const readWorld = (): Promise<World> => ask('/world/status');

export const readToken = async (member: string, workspace: string): Promise<string> =>
  (await ask<{ token: string }>(`/world/token?${new URLSearchParams({ member, workspace })}`)).token;

/** Cuts or heals both directions of the link between two regions. */
export const steerLink = (action: 'cut' | 'heal', a: string, b: string): Promise<{ links: Road[] }> =>
  ask('/world/links', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ action, a, b }),
  });

async function ask<T>(path: string, init: RequestInit = {}): Promise<T> {
  let answer: Response;
  try {
    answer = await fetch(path, { ...init, signal: AbortSignal.timeout(PATIENCE_MS) });
  } catch {
    throw new Error('The local world does not answer. Is it still running? Start it with: npm start');
  }
  const content = (await answer.json().catch(() => ({}))) as T & { error?: string };
  if (!answer.ok) throw new Error(content.error ?? `The local world answered with ${answer.status}.`);
  return content;
}
