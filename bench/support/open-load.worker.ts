/** The thread that an open load leaves from: it has nothing else to do, so that it can be on time. */
import { parentPort, workerData } from "node:worker_threads";
import { type OpenLoad, sendOpen } from "./open-load.ts";

parentPort?.postMessage(await sendOpen(workerData as OpenLoad));
