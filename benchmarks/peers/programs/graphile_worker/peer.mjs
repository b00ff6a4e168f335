// Graphile Worker: see ../node_peer.mjs for the command line and for where packages come from.

import { chunks, main, require } from "../node_peer.mjs";

// Read once, when the package is loaded: no line of output for each job.
process.env.NO_LOG_SUCCESS = "1";
const { makeWorkerUtils, run, runMigrations, WorkerPreset } = require("graphile-worker");

const TASK = "number";
const ADD_AT_ONCE = 10_000;

const SETTINGS = {
  concurrentJobs: 24,
  maxPoolSize: 25,
  localQueue: { size: 10_000 },
  completeJobBatchDelay: 25,
  failJobBatchDelay: 25,
};

const preset = (connectionString) => ({
  extends: [WorkerPreset],
  worker: { connectionString, ...SETTINGS },
});

await main({
  async setup(url) {
    await runMigrations({ preset: preset(url) });
  },

  async producer(url) {
    const utils = await makeWorkerUtils({ preset: preset(url) });
    // The first query opens the connection.
    await utils.withPgClient((client) => client.query("SELECT 1"));
    return {
      add: (number) => utils.addJob(TASK, { number }),
      async addMany(numbers, dueAt) {
        const runAt = dueAt ?? undefined;
        for (const chunk of chunks(numbers, ADD_AT_ONCE)) {
          await utils.addJobs(
            chunk.map((number) => ({ identifier: TASK, payload: { number }, runAt })),
          );
        }
      },
      close: () => utils.release(),
    };
  },

  async worker(url, ran) {
    const runner = await run({
      preset: preset(url),
      noHandleSignals: true,
      taskList: { [TASK]: async ({ number }) => ran(number) },
      parsedCronItems: [],
    });
    return () => runner.stop();
  },
});
