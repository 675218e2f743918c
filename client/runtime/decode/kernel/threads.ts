/**
 * The threads of a decoder on kernels.
 *
 * - `hire` begins to start workers; they are there when `enlist` resolves. Where one doesn't start (the page's policy,
 *   no more memory), the decoder goes on with this thread alone.
 * - They end with `close`, and with the worker that hired them.
 */
import type { Kernels } from "../../kernels/kernels.ts";
import { ALONE, SharedCrew } from "./crew.ts";
import type { Enlist } from "./crew.worker.ts";
import { learningPace } from "./pace.ts";
import type { Program } from "./program.ts";
import { writeRun } from "./runs.ts";
import { work, type Run } from "./work.ts";

export interface KernelThreads {
  readonly count: number;
  /** That single tokens are computed by now. */
  readonly best: number;
  /** `isSteady`: by all of them, also a single token; another division has other last bits. */
  run(run: Run, isSteady: boolean): void;
  close(): void;
}

const START_MS = 10_000;

export class Hired {
  readonly #workers: readonly Worker[];

  private constructor(workers: readonly Worker[]) {
    this.#workers = workers;
  }

  /** `threads`: with this one. */
  static hire(threads: number): Hired {
    const workers: Worker[] = [];
    try {
      for (let thread = 1; thread < threads; thread++) workers.push(new Worker(new URL("./crew.worker.ts", import.meta.url), { type: "module", name: `leasehold thread ${thread + 1}` }));
    } catch {
      for (const worker of workers.splice(0)) worker.terminate(); // the page's policy
    }
    return new Hired(workers);
  }

  close(): void {
    for (const worker of this.#workers) worker.terminate();
  }

  /** `isFixed`: single tokens go by all of them, whatever is measured. */
  async enlist(memory: WebAssembly.Memory, module: WebAssembly.Module, kernels: Kernels, program: Program, isFixed: boolean): Promise<KernelThreads> {
    const threads = this.#workers.length + 1;
    const isThere = await Promise.all(this.#workers.map((worker, index) => answers(worker, { memory, module, program, thread: index + 1, threads })));
    if (threads === 1 || isThere.includes(false)) {
      this.close();
      return { count: 1, best: 1, run: (run) => work(program, kernels, ALONE, run), close: () => undefined };
    }
    const crew = new SharedCrew(memory.buffer, program, 0, threads);
    const pace = learningPace(threads);
    return {
      count: threads,
      get best() {
        return isFixed ? threads : pace.best;
      },
      run: (run, isSteady) => {
        const began = performance.now();
        const count = isFixed || isSteady || run.rows > 1 ? threads : pace.next();
        if (count > 1) {
          writeRun(memory.buffer, run);
          crew.start(count);
        }
        try {
          work(program, kernels, count > 1 ? crew : ALONE, run);
        } catch (error) {
          if (count > 1) crew.fail();
          throw error;
        }
        if (run.rows === 1 && !isSteady) pace.took(count, performance.now() - began);
      },
      close: () => this.close(),
    };
  }
}

function answers(worker: Worker, enlist: Enlist): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, START_MS, false);
    const settle = (isThere: boolean) => {
      clearTimeout(timer);
      resolve(isThere);
    };
    worker.addEventListener("message", () => settle(true), { once: true });
    worker.addEventListener("error", (event) => {
      event.preventDefault();
      settle(false);
    });
    worker.postMessage(enlist);
  });
}

