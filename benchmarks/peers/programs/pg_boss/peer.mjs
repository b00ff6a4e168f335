// pg-boss: see ../node_peer.mjs for the command line and for where packages come from.

import { chunks, main, require } from "../node_peer.mjs";

const { PgBoss } = require("pg-boss");

const QUEUE = "number";
const ADD_AT_ONCE = 10_000;

const SETTINGS = {
  batchSize: 1_000,
  localConcurrency: 4,
  burstWhenBatchFull: true,
};

async function start(url, options) {
  const boss = new PgBoss({ connectionString: url, ...options });
  boss.on("error", (error) => console.error(error));
  await boss.start();
  return boss;
}

await main({
  async setup(url) {
    const boss = await start(url, { supervise: false, schedule: false });
    await boss.createQueue(QUEUE, { notify: true });
    await boss.stop();
  },

  async producer(url) {
    const boss = await start(url, { supervise: false, schedule: false });
    return {
      add: (number) => boss.send(QUEUE, { number }),
      async addMany(numbers, dueAt) {
        const startAfter = dueAt ?? undefined;
        for (const chunk of chunks(numbers, ADD_AT_ONCE)) {
          await boss.insert(
            QUEUE,
            chunk.map((number) => ({ data: { number }, startAfter })),
          );
        }
      },
      close: () => boss.stop(),
    };
  },

  async worker(url, ran) {
    const boss = await start(url, { useListenNotify: true });
    await boss.work(QUEUE, SETTINGS, async (jobs) => {
      for (const { data } of jobs) ran(data.number);
    });
    return () => boss.stop();
  },
});
