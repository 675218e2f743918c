/** One more thread of a decoder on kernels: it takes its share of each run, and sleeps in between, until it is ended. */
import { startKernels } from "../../kernels/kernels.ts";
import { SharedCrew } from "./crew.ts";
import type { Program } from "./program.ts";
import { readRun } from "./runs.ts";
import { work } from "./work.ts";

export interface Enlist {
  readonly memory: WebAssembly.Memory;
  readonly module: WebAssembly.Module;
  readonly program: Program;
  readonly thread: number;
  readonly threads: number;
}

/** What goes wrong is told to who hired it at once, and not by silence. */
addEventListener("message", ({ data }: MessageEvent<Enlist>) => void serve(data).catch(reportError));

async function serve({ memory, module, program, thread, threads }: Enlist): Promise<never> {
  const kernels = await startKernels(memory, module);
  const { buffer } = memory;
  const crew = new SharedCrew(buffer, program, thread, threads);
  postMessage("ready");
  for (;;) {
    crew.waitForStart();
    try {
      work(program, kernels, crew, readRun(buffer));
    } catch (error) {
      crew.fail();
      throw error;
    }
  }
}
