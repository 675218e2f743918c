/**
 * The leases of one generation, one after another.
 *
 * - The first holds the prompt and what may be written. The next is asked for before that is used up, or before the
 *   lease expires; when it comes, the one before is settled with what was written under it.
 * - Each is for the revision that runs. One for another revision goes back, and counts as refused.
 * - A refused one is no error: what is held is used up, and the answer ends there. A run that is out of tokens waits for
 *   what becomes of the next lease, and is always told.
 * - A page that goes away reports the open one with what was used by then (`OpenLease.running…`).
 */
import { LeaseholdError } from "../../errors.ts";
import type { GenerateNote } from "../../runtime/tasks/text-generation/request.ts";
import { asLeaseholdError } from "../as-error.ts";
import type { LeaseDesk } from "../lease-desk.ts";
import type { OpenLease, Outcome } from "../open-lease.ts";

export interface ChainOptions {
  readonly desk: LeaseDesk;
  readonly model: string;
  readonly revision: string;
  readonly first: OpenLease;
  readonly promptTokens: number;
  /** The most that may be written; null: until the context is full. */
  readonly mostOutput: number | null;
  /** Tokens that each lease after the first holds at most. */
  readonly slice: number;
  readonly signal?: AbortSignal;
}

export type Report = Omit<Outcome, "inputTokens" | "outputTokens">;

/** The next lease is asked for when this share of what a lease holds for answers is left. */
const LOW = 0.25;
/** Or when the lease lives no longer than this. */
const SOON_MS = 60_000;

export class LeaseChain {
  readonly #options: ChainOptions;
  readonly #ids: string[];
  #current: OpenLease;
  /** Written under the leases before. */
  #settledOutput = 0;
  #output = 0;
  #asking: Promise<void> | null = null;
  /** Reports of leases that another one took the place of. */
  readonly #reports: Promise<void>[] = [];
  #isRefused = false;
  #isOver = false;

  constructor(options: ChainOptions) {
    this.#options = options;
    this.#current = options.first;
    this.#ids = [options.first.grant.lease_id];
  }

  get leaseIds(): readonly string[] {
    return this.#ids;
  }

  get requestId(): string {
    return this.#current.requestId;
  }

  /** The run has begun: where it is stopped from now on, its prompt is charged. */
  running(): void {
    this.#options.first.runningTokens = this.#options.promptTokens;
  }

  /** So much is written by now. Asks for the next lease where it is time; `tell` hears of it. `isOut`: the run waits for it. */
  wrote(outputTokens: number, report: () => Report, tell: (note: GenerateNote) => void, isOut = false): void {
    this.#output = outputTokens;
    this.#current.runningOutput = outputTokens - this.#settledOutput;
    const { mostOutput } = this.#options;
    const toWrite = mostOutput === null ? Infinity : mostOutput - outputTokens;
    if (this.#asking) return;
    if (this.#isOver || this.#isRefused || toWrite <= 0) return isOut ? tell({ kind: "no-more" }) : undefined;
    const room = this.#current.grant.hold - this.#input;
    const left = room - (outputTokens - this.#settledOutput);
    const isLow = left < toWrite && left <= room * LOW;
    const isOld = this.#current.livesMs < SOON_MS;
    if (!isLow && !isOld) return; // a run that is out was told of the next one meanwhile
    this.#asking = this.#ask(Math.min(toWrite, this.#options.slice), report, tell).finally(() => {
      this.#asking = null;
    });
  }

  async settle(report: Report, outputTokens: number): Promise<void> {
    this.#isOver = true;
    await this.#asking;
    await Promise.all(this.#reports);
    await this.#options.desk.settle(this.#current, { ...report, inputTokens: this.#input, outputTokens: outputTokens - this.#settledOutput });
  }

  async abandon(error: LeaseholdError): Promise<void> {
    this.#isOver = true;
    await this.#asking;
    await Promise.all(this.#reports);
    await this.#options.desk.abandon(this.#current, error);
  }

  /** The prompt is charged to the first. */
  get #input(): number {
    return this.#ids.length === 1 ? this.#options.promptTokens : 0;
  }

  async #ask(tokens: number, report: () => Report, tell: (note: GenerateNote) => void): Promise<void> {
    const { desk, model, revision, signal, promptTokens } = this.#options;
    let next: OpenLease;
    try {
      next = await desk.ask({ model, tokens, revision, requestId: this.requestId, signal });
    } catch (error) {
      this.#isRefused = asLeaseholdError(error, signal).code !== "aborted";
      tell({ kind: "no-more" });
      return;
    }
    if (next.grant.model.revision !== revision) {
      this.#isRefused = true;
      tell({ kind: "no-more" });
      return void (await desk.abandon(next, new LeaseholdError("conflict", "Another revision of the model is in force.")));
    }
    if (this.#isOver) return void (await desk.abandon(next, new LeaseholdError("aborted", "The answer was whole before.")));
    const before = this.#current;
    const used = { inputTokens: this.#input, outputTokens: this.#output - this.#settledOutput };
    this.#settledOutput = this.#output;
    this.#current = next;
    this.#ids.push(next.grant.lease_id);
    tell({ kind: "hold", tokens: promptTokens + this.#output + next.grant.hold });
    this.#reports.push(desk.settle(before, { ...report(), ...used })); // which doesn't hold up the run
  }
}
