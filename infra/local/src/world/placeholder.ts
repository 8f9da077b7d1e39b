import type { WorldStatus } from './status.ts';

/** What the web port shows while the chat page is not built. All text in it is our own. */
export function placeholderPage({ regions, workspaces, members }: WorldStatus): string {
  const rows = regions.map(
    ({ region, url, zones, ready }) =>
      `<tr><td>${region}<td><a href="${url}/healthz">${url}</a><td>${zones.join(', ')}<td>${ready ? 'ready' : 'not ready'}`,
  );
  return `<!doctype html><html lang="en"><meta charset="utf-8"><title>Causeway</title>
<style>body{font:16px/1.5 system-ui;max-width:44rem;margin:3rem auto;padding:0 1rem}td{padding:.2rem 1rem .2rem 0}</style>
<h1>Causeway</h1>
<p>This world runs; the chat page is not built. Build it with
<code>npm run build --workspace @causeway/web</code> and start again.</p>
<table>${rows.join('\n')}</table>
<p>Workspaces: ${workspaces.map(({ id }) => id).join(', ')}. Members: ${members.join(', ')}.</p>
<p>A token: <code>npx causeway token ada</code>, or <a href="/world/token?member=ada">/world/token?member=ada</a>.
Everything else: <a href="/world/status">/world/status</a>.</p></html>
`;
}
