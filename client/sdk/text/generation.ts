/**
 * One generation under leases: from the request to events, and to what it cost.
 *
 * - `begin` returns when the prompt is taken in: what is refused is thrown there, not in the middle of a stream.
 * - Whoever stops reading stops the generation, within one token.
 * - Tokens that were written are charged, also of an answer that was stopped or broke off.
 */
import { LeaseholdError } from "../../errors.ts";
import type { GenerateEvent, GenerateInput, GenerateNote, GenerateOutput, StopCode } from "../../runtime/tasks/text-generation/request.ts";
import { asLeaseholdError } from "../as-error.ts";
import { engineOf } from "../progress.ts";
import type { AnswerEvent, Closing } from "./answers.ts";
import { EventQueue } from "./event-queue.ts";
import { type CallOptions, chargeOf, holdFor, type Parts, sliceOf } from "./hold.ts";
import { LeaseChain, type Report } from "./lease-chain.ts";

export interface Generation {
  readonly requestId: string;
  readonly events: AsyncGenerator<AnswerEvent, void>;
  /** After the last event. */
  readonly closing: Promise<Closing>;
  stop(): void;
}

export async function beginGeneration(parts: Parts, model: string, input: GenerateInput, options: CallOptions): Promise<Generation> {
  const release = parts.pool.hold(model);
  try {
    const generation = await begin(parts, model, input, options);
    generation.closing.then(release, release);
    return generation;
  } catch (error) {
    release();
    throw error;
  }
}

async function begin(parts: Parts, model: string, input: GenerateInput, options: CallOptions): Promise<Generation> {
  const stopping = new AbortController();
  const signal = options.signal ? AbortSignal.any([options.signal, stopping.signal]) : stopping.signal;
  const { lease, loaded, measured, release } = await holdFor(parts, model, { ...options, signal }, async ({ runtime, manifest }) => {
    const { promptTokens, contextLength } = await runtime.run("text-generation", { ...input, kind: "measure" }, { signal });
    const slice = sliceOf(input, promptTokens, contextLength);
    return { promptTokens, slice, tokens: chargeOf(manifest, promptTokens + slice) };
  });
  const { runtime, cache, manifest } = loaded;
  const isByText = manifest.usage.measure === "text-tokens";
  const chain = new LeaseChain({
    desk: parts.desk,
    model,
    revision: manifest.revision,
    first: lease,
    promptTokens: isByText ? measured.promptTokens : measured.tokens,
    mostOutput: isByText ? (input.maxTokens === null ? null : measured.slice) : 0,
    slice: Math.max(measured.slice, 1),
    signal,
  });
  const began = performance.now();
  let ttftMs: number | undefined;
  const report = (): Report => ({ outcome: "ok", latencyMs: performance.now() - began, ttftMs, backend: runtime.backend, cache });

  const queue = new EventQueue<AnswerEvent>();
  const taken = Promise.withResolvers<void>();
  const stopCodes: StopCode[] = [];
  let tell: (note: GenerateNote) => void = () => undefined;
  const onPiece = (event: GenerateEvent) => {
    if (event.kind === "began") taken.resolve();
    if (event.kind === "ended") stopCodes[event.choice] = event.why;
    if ("outputTokens" in event) {
      ttftMs ??= performance.now() - began;
      if (isByText) chain.wrote(event.outputTokens, report, tell, event.kind === "count" && event.isOut);
    }
    if (event.kind !== "began" && event.kind !== "count") queue.push(event);
  };
  const closeWith = async (output: GenerateOutput): Promise<Closing> => {
    await chain.settle({ ...report(), ttftMs: output.ttftMs ?? undefined }, isByText ? output.outputTokens : 0);
    const { promptTokens, outputTokens, cachedTokens } = output;
    return {
      usage: { prompt_tokens: promptTokens, completion_tokens: outputTokens, total_tokens: promptTokens + outputTokens, prompt_tokens_details: { cached_tokens: cachedTokens } },
      account: { ...engineOf(runtime), request_id: chain.requestId, lease_ids: chain.leaseIds, cache, ttft_ms: output.ttftMs, tokens_per_second: output.tokensPerSecond, stop_codes: stopCodes },
    };
  };
  const run = async (): Promise<Closing> => {
    try {
      const given = { ...input, hold: isByText ? lease.grant.hold : null };
      const output = await parts.pool.run(model, { signal, ...(options.priority && { priority: options.priority }) }, () => {
        chain.running();
        return runtime.run("text-generation", given, {
          signal,
          onPiece,
          onSent: (send) => {
            tell = send;
          },
        });
      });
      const closing = await closeWith(output);
      queue.end();
      return closing;
    } catch (thrown) {
      const error = asLeaseholdError(thrown, signal);
      await parts.loader.failed(model, loaded, error);
      await chain.abandon(error);
      taken.reject(error);
      queue.end(error);
      throw error;
    }
  };
  const closing = run();
  closing.then(release, release); // whoever reads the events hears of a failure
  await taken.promise;
  return { requestId: chain.requestId, events: queue.read(), closing, stop: () => stopping.abort(new LeaseholdError("aborted", "Stopped.")) };
}
