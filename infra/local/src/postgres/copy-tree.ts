import { spawnSync } from 'node:child_process';

/** Copies a folder with modes, links and (as root) owners, which Node's cp does not keep. */
export function copyTree(from: string, to: string): void {
  const { status, stderr } = spawnSync('cp', ['-RPp', from, to], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`copying ${from} to ${to} failed: ${stderr}`);
}

/** Gives a folder and all in it to an account. */
export function giveTree(folder: string, owner: { uid: number; gid: number }): void {
  const { status, stderr } = spawnSync('chown', ['-R', `${owner.uid}:${owner.gid}`, folder], {
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`giving ${folder} to ${owner.uid} failed: ${stderr}`);
}
