/** A change of the source of the system that makes it break a rule. */
export type Bug = {
  name: string;
  /** The rule that it breaks. */
  rule: string;
  what: string;
  /** `file` from the root of the repository; `find` stands in it exactly once. */
  patches: { file: string; find: string; replace: string }[];
  /**
   * Within so many worlds, from seed `first` (1 when absent) on, the simulation notices. Far more than it takes
   * today: what a seed holds changes with the system.
   */
  worlds: number;
  first?: number;
};

const QUEUE = 'packages/replica/src/append-queue.ts';
const RECEIVER = 'packages/replica/src/receiver.ts';
const REPLICA = 'packages/replica/src/replica.ts';
const SEGMENT = 'packages/replica/src/segment.ts';

/** Every one of them must be noticed: the simulation is only worth what it finds. */
export const BUGS: readonly Bug[] = [
  {
    name: 'ack-before-commit',
    rule: 'R2',
    what: 'a command is answered when it is authored, and not after its commit',
    patches: [
      {
        file: QUEUE,
        find: 'const commit = this.#store.append(rows);',
        replace:
          'for (const share of writing) answer(share.outcomes);\n    const commit = this.#store.append(rows);',
      },
    ],
    worlds: 20,
  },
  {
    name: 'duplicate-answered-early',
    rule: 'R2',
    what: 'a repeat is answered while the first one is not committed yet',
    patches: [
      {
        file: REPLICA,
        find: 'let answer = this.#underWay.get(id);',
        replace:
          'let answer = this.#underWay.get(id);\n    if (answer !== undefined) return Promise.resolve({ id, token: [] });',
      },
    ],
    worlds: 50,
  },
  {
    name: 'client-id-reused',
    rule: 'R8',
    what: 'a process goes on with its clientID after a failed commit',
    patches: [
      {
        file: REPLICA,
        find: 'this.#author = this.#newAuthor();\n    for (const key of keys) {',
        replace: 'for (const key of keys) {',
      },
    ],
    worlds: 100,
  },
  {
    name: 'later-append-committed',
    rule: 'R8',
    what: 'an append of a document is committed though an earlier one of it failed',
    patches: [{ file: QUEUE, find: 'if (this.#inFlight.has(key)) continue;', replace: '' }],
    worlds: 50,
  },
  {
    name: 'cursor-outside-transaction',
    rule: 'R3',
    what: 'a receiver commits its cursor before the rows that lie in front of it',
    patches: [
      {
        file: RECEIVER,
        find: 'const result = await this.#store.apply(batch);',
        replace: `const { cursor: moved, ...rest } = batch;
      if (moved !== undefined) await this.#store.apply({ ...batch, rows: [], own: [], parked: [] });
      const result = await this.#store.apply(moved === undefined ? batch : rest);`,
      },
    ],
    worlds: 100,
  },
  {
    name: 'cursor-without-incarnation',
    rule: 'R15',
    what: 'a receiver goes on at its cursor though the stream is another one',
    patches: [
      {
        file: RECEIVER,
        find: 'const isSame = hello.incarnation === cursor.incarnation;',
        replace: 'const isSame = true;',
      },
      {
        file: RECEIVER,
        find: 'if (first.sequence === sequence && first.id !== messageId)',
        replace: 'if (first.sequence < 0)',
      },
    ],
    worlds: 100,
  },
  {
    name: 'echo',
    rule: 'R3',
    what: "a peer's rows go into the outbox and back to it",
    patches: [
      {
        file: 'packages/store/src/memory-store.ts',
        find: '...batch.rows.map((row) => ({ row, own: false })),',
        replace: '...batch.rows.map((row) => ({ row, own: true })),',
      },
    ],
    worlds: 20,
  },
  {
    name: 'key-written-twice',
    rule: 'R8',
    what: 'all edits of a message stand under one key',
    patches: [
      {
        file: SEGMENT,
        find: 'const key = keyOf(id, command);\n    if (!this.#e.has(key)) {',
        replace: "const key = keyOf(id, 'text');\n    if (!this.#e.has(key) || command !== '') {",
      },
    ],
    worlds: 20,
  },
  {
    name: 'v-restamped',
    rule: 'R4',
    what: "a server puts its own time in the place of the client's `v`",
    patches: [
      {
        file: 'packages/replica/src/commands/on-message.ts',
        find: 'const change = { key: `${emoji}|${member}`, v: orderOf(v, id), value: on };',
        replace:
          'const change = { key: `${emoji}|${member}`, v: orderOf(context.clock.tick(), id), value: on };',
      },
    ],
    worlds: 20,
  },
  {
    name: 'second-copy-unmerged',
    rule: 'R1',
    what: 'a second copy of a message in another segment is left as it is',
    patches: [
      {
        file: 'packages/replica/src/tidy.ts',
        find: 'const wrote = await Promise.all(lives.map((live) => this.#bringUp(live, id, deleted, winner)));',
        replace: 'const wrote = [lives, this.#bringUp, deleted, winner].map(() => false);',
      },
    ],
    worlds: 200,
  },
  {
    name: 'update-refused',
    rule: 'R3',
    what: 'a receiver leaves out an update that deletes (until there is erasure: what was erased)',
    patches: [
      {
        file: RECEIVER,
        find: 'else batch.rows.push(row);',
        replace: 'else if ((row.index?.deletes.length ?? 0) === 0) batch.rows.push(row);',
      },
    ],
    worlds: 50,
  },
  {
    name: 'pending-dropped',
    rule: 'R1',
    what: 'structs that wait for others are forgotten at a restart and by compaction',
    patches: [
      {
        file: 'packages/replica/src/live-document.ts',
        find: "}, 'local');\n    this.#bytes = rows",
        replace: "}, 'local');\n    this.doc.store.pendingStructs = null;\n    this.#bytes = rows",
      },
      {
        file: 'packages/replica/src/compaction.ts',
        find: 'const state = canonicalState(doc);',
        replace: 'doc.store.pendingStructs = null;\n  const state = canonicalState(doc);',
      },
    ],
    worlds: 400,
    // A world in which a log is compacted while something waits: one in a hundred.
    first: 809,
  },
  {
    name: 'prune-overtakes',
    rule: 'R3',
    what: 'a pruned edit leaves before what dominates it has arrived',
    patches: [{ file: 'packages/replica/src/prune.ts', find: 'whole: true,', replace: '' }],
    worlds: 150,
    // A world in which a message is edited more often than is kept: one in thirty.
    first: 42,
  },
  {
    name: 'compaction-deletes-unread',
    rule: 'R3',
    what: 'compaction deletes a row that is not in its snapshot',
    patches: [
      {
        file: 'packages/replica/src/compactor.ts',
        find: 'const doc = await this.#replay(rows);',
        replace: 'const doc = await this.#replay(rows.length > 1 ? rows.slice(0, -1) : rows);',
      },
    ],
    worlds: 20,
  },
  {
    name: 'publish-before-commit',
    rule: 'R8',
    what: 'rows go into the stream before they are committed',
    patches: [
      {
        file: QUEUE,
        find: 'const commit = this.#store.append(rows);',
        replace: `const early = rows.map(({ entry }, at) => ({ seq: -at - 1, entry }));
    this.#events.committed([], { outbox: early, untidy: [], commit: 0, authored: [] });
    const commit = this.#store.append(rows);`,
      },
    ],
    worlds: 20,
  },
  {
    name: 'zone-from-old-incarnation',
    rule: 'R3',
    what: 'level `zone` is given on a report about an older incarnation',
    patches: [
      {
        file: 'packages/replica/src/zone-level.ts',
        find: 'incarnation === place.incarnation &&',
        replace: 'incarnation !== place.incarnation + place.incarnation &&',
      },
    ],
    worlds: 200,
  },
];
