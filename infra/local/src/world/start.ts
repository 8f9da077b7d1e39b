import type { WorldOptions } from './options.ts';
import type { World } from './world.ts';

/**
 * Starts a world, or starts it again from what its home holds. Throws `WorldError` for what the
 * person at the keyboard can put right. A start that fails or is called off leaves nothing.
 */
export async function startWorld(options: WorldOptions): Promise<World> {
  // Loaded when it is needed: the web server and the rest take time that `causeway status` has not.
  const { openWorld } = await import('./world.ts');
  return openWorld(options);
}
