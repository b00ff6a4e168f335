// What the programs for Node have in common: the command line, and the log of runs.
//
// The program runs from this folder, with the interpreter of the peer's environment. The environment
// variable PEER_ENVIRONMENT names the folder that holds its node_modules; packages come from there.

import fs from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import readline from "node:readline";

// Two 64-bit numbers a run, little-endian: the job's number + 1, and the moment by CLOCK_MONOTONIC.
const ENTRY_BYTES = 16;
const BUFFERED_RUNS = 4096;
const OLDEST_NODE = 22;

/** Import from the peer's environment. */
export const require = createRequire(path.join(environment(), "package.json"));

/**
 * Carry out the command line for one peer.
 *
 * peer.setup(url): make the schema.
 * peer.producer(url): connect; gives add(number), addMany(numbers, dueAt) and close().
 * peer.worker(url, ran): start a worker that calls ran(number) for each job; gives a function that
 * stops it.
 */
export async function main(peer) {
  // Packages may run on an older one, but not at their best.
  if (Number.parseInt(process.versions.node) < OLDEST_NODE) {
    throw new Error(`Node.js ${process.versions.node}: too old; use ${OLDEST_NODE} or newer`);
  }
  const [command, url, ...rest] = process.argv.slice(2);
  const commands = { setup: peer.setup, fill, work, trickle };
  if (!Object.hasOwn(commands, command) || url === undefined) {
    throw new Error(`command ${command}: not known; use setup, fill, work or trickle, and a URL`);
  }
  await commands[command](url, ...rest);

  async function fill(url, first, count, option, days) {
    if (option !== undefined && option !== "--in-days") {
      throw new Error(`option ${option}: not known; use --in-days`);
    }
    const numbers = Array.from({ length: Number(count) }, (_, index) => Number(first) + index);
    const dueAt = days === undefined ? null : new Date(Date.now() + Number(days) * 86_400_000);
    const producer = await peer.producer(url);
    const began = process.hrtime.bigint();
    await producer.addMany(numbers, dueAt);
    const seconds = Number(process.hrtime.bigint() - began) / 1e9;
    await producer.close();
    console.log(JSON.stringify({ seconds }));
  }

  async function work(url, logPath) {
    const log = new RunLog(logPath);
    const stop = await peer.worker(url, (number) => log.record(number));
    await new Promise((resolve) => process.once("SIGTERM", resolve));
    await stop();
    log.close();
  }

  async function trickle(url) {
    const producer = await peer.producer(url);
    for await (const line of readline.createInterface({ input: process.stdin })) {
      await producer.add(Number(line));
      process.stdout.write(`${line.trim()} ${process.hrtime.bigint()}\n`);
    }
    await producer.close();
  }
}

/** Cut `numbers` into lists of at most `size`. */
export function* chunks(numbers, size) {
  for (let start = 0; start < numbers.length; start += size) {
    yield numbers.slice(start, start + size);
  }
}

/**
 * Every run of numbered jobs, in one file for one worker process.
 *
 * Node cannot map a file, so entries are collected and written when the event loop has gone round
 * once; the moments are those of the runs.
 */
class RunLog {
  #file;
  #cells = new BigInt64Array((BUFFERED_RUNS * ENTRY_BYTES) / 8);
  #buffered = 0;
  #written = 0;

  constructor(logPath) {
    this.#file = fs.openSync(logPath, "r+");
  }

  record(number) {
    if (this.#buffered === BUFFERED_RUNS) this.#flush();
    if (this.#buffered === 0) setImmediate(() => this.#flush());
    const cell = this.#buffered * 2;
    this.#cells[cell + 1] = process.hrtime.bigint();
    this.#cells[cell] = BigInt(number + 1);
    this.#buffered += 1;
  }

  close() {
    this.#flush();
    fs.closeSync(this.#file);
  }

  #flush() {
    if (this.#buffered === 0) return;
    const bytes = this.#buffered * ENTRY_BYTES;
    fs.writeSync(this.#file, this.#cells, 0, bytes, this.#written);
    this.#written += bytes;
    this.#buffered = 0;
  }
}

function environment() {
  const folder = process.env.PEER_ENVIRONMENT;
  if (folder === undefined) {
    throw new Error("PEER_ENVIRONMENT: not set; name the folder that holds node_modules");
  }
  return path.resolve(folder);
}
