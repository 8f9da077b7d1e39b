import type { Progress } from '@causeway/local';
import { Listr } from 'listr2';

/** Shows how a start goes on: moving lines on a terminal, one line per finished step elsewhere. */
export type ProgressView = {
  show(progress: Progress): void;
  /** Everything is there. Resolves when nothing more is drawn. */
  done(): Promise<void>;
  /** It came to nothing; what was under way is marked so. */
  failed(): Promise<void>;
};

export const progressFor = (stream: NodeJS.WriteStream, steps: readonly string[]): ProgressView =>
  stream.isTTY ? moving(steps) : plain(stream);

const nothing = async (): Promise<void> => undefined;

function plain(stream: NodeJS.WriteStream): ProgressView {
  return {
    show: ({ step, state, text }) => {
      if (state === 'done' || step === 'nats-server') stream.write(`${step}: ${text}\n`);
    },
    done: nothing,
    failed: nothing,
  };
}

type Task = { title: string };
type Step = { finish: PromiseWithResolvers<void>; task: Task | undefined; title: string };

function moving(names: readonly string[]): ProgressView {
  const steps = new Map<string, Step>(
    names.map((name) => [name, { finish: Promise.withResolvers(), task: undefined, title: name }]),
  );
  const list = new Listr(
    [...steps.values()].map((step) => ({
      title: step.title,
      task: (_: unknown, task: Task) => {
        step.task = task;
        task.title = step.title;
        return step.finish.promise;
      },
    })),
    { concurrent: true, exitOnError: false, registerSignalListeners: false },
  );
  const drawn = list.run();
  const end = async (settle: (step: Step) => void): Promise<void> => {
    for (const step of steps.values()) settle(step);
    await drawn.catch(() => undefined);
  };
  return {
    show({ step: name, state, text }) {
      const step = steps.get(name);
      if (step === undefined) return;
      step.title = name === text ? name : `${name}  ${text}`;
      if (step.task !== undefined) step.task.title = step.title;
      if (state === 'done') step.finish.resolve();
    },
    done: () => end(({ finish }) => finish.resolve()),
    failed: () => end(({ finish }) => finish.reject(new Error('not finished'))),
  };
}
