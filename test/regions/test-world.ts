import { findBasePort, startWorld, type World } from '@causeway/local';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * A world of its own for one test file: on free ports, in a folder that goes with it, and what is
 * killed stays dead until the test restarts it. `await using` or `dispose` takes everything down.
 */
export async function testWorld(options: {
  regions?: readonly string[];
  /** Server processes of each region; 1 by default. */
  servers?: number;
  /** What regions run instead of their server. */
  serverEntry?: string;
  delayMs: number;
}): Promise<{ world: World } & AsyncDisposable> {
  const { regions, servers = 1, serverEntry, delayMs } = options;
  const home = await mkdtemp(join(tmpdir(), 'causeway-test-'));
  const removeHome = (): Promise<void> => rm(home, { recursive: true, force: true });
  try {
    const world = await startWorld({
      home,
      basePort: await findBasePort(),
      delays: () => delayMs,
      supervise: false,
      servers,
      ...(regions === undefined ? {} : { regions }),
      ...(serverEntry === undefined ? {} : { serverEntry }),
    });
    return {
      world,
      async [Symbol.asyncDispose]() {
        await world.stop();
        await removeHome();
      },
    };
  } catch (error) {
    await removeHome();
    throw error;
  }
}
