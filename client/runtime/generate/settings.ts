/**
 * How a call samples and what ends it: the caller's wish, then the model's `generation_config.json`, then what is usual.
 * Pure.
 *
 * - A model that doesn't say `do_sample` is taken at its likeliest tokens, unless the caller sets anything of sampling.
 * - Ranges are OpenAI's and transformers'; what lies outside is `invalid-request`, naming the field.
 */
import { LeaseholdError } from "../../errors.ts";
import type { SamplingSettings } from "../sampling/sampler.ts";
import type { GenerateInput, SamplingWish } from "../tasks/text-generation/request.ts";
import type { JsonObject } from "../tokenizer/tokenizer.ts";

export const MOST_STOPS = 16;
export const MOST_CHOICES = 16;
export const MOST_LOGPROBS = 20;

export function samplingSettings(wish: SamplingWish, config: JsonObject): SamplingSettings {
  const samples = config["do_sample"] === true || [wish.topK, wish.topP, wish.minP, wish.seed].some((value) => value !== undefined);
  const usual = (name: string): number | undefined => (typeof config[name] === "number" ? config[name] : undefined);
  const settings: SamplingSettings = {
    temperature: wish.temperature ?? (samples ? (usual("temperature") ?? 1) : 0),
    topK: wish.topK ?? (config["do_sample"] === true ? (usual("top_k") ?? 0) : 0),
    topP: wish.topP ?? (config["do_sample"] === true ? (usual("top_p") ?? 1) : 1),
    minP: wish.minP ?? (config["do_sample"] === true ? (usual("min_p") ?? 0) : 0),
    repetitionPenalty: wish.repetitionPenalty ?? usual("repetition_penalty") ?? 1,
    frequencyPenalty: wish.frequencyPenalty ?? 0,
    presencePenalty: wish.presencePenalty ?? 0,
    logitBias: new Map(Object.entries(wish.logitBias ?? {}).map(([token, bias]) => [Number(token), bias])),
  };
  within("temperature", settings.temperature, 0, 2);
  within("top_k", settings.topK, 0, 1e6);
  if (!Number.isSafeInteger(settings.topK)) throw invalid("top_k", "is a whole number");
  within("top_p", settings.topP, 0, 1);
  within("min_p", settings.minP, 0, 1);
  within("repetition_penalty", settings.repetitionPenalty, 0.01, 10);
  within("frequency_penalty", settings.frequencyPenalty, -2, 2);
  within("presence_penalty", settings.presencePenalty, -2, 2);
  for (const [token, bias] of settings.logitBias) {
    within("logit_bias", bias, -100, 100);
    if (!Number.isSafeInteger(token) || token < 0) throw invalid("logit_bias", "maps token ids to numbers");
  }
  if (wish.seed !== undefined && !Number.isSafeInteger(wish.seed)) throw invalid("seed", "is a whole number");
  return settings;
}

export function checkRequest({ stop, choices, logprobs, maxTokens }: GenerateInput): void {
  if (stop.length > MOST_STOPS || stop.some((text) => text === "")) throw invalid("stop", `is at most ${MOST_STOPS} strings, none empty`);
  if (!Number.isSafeInteger(choices) || choices < 1 || choices > MOST_CHOICES) throw invalid("n", `is a whole number from 1 to ${MOST_CHOICES}`);
  if (logprobs !== null) within("top_logprobs", logprobs, 0, MOST_LOGPROBS);
  if (logprobs !== null && !Number.isSafeInteger(logprobs)) throw invalid("top_logprobs", "is a whole number");
  if (maxTokens !== null && (!Number.isSafeInteger(maxTokens) || maxTokens < 1)) throw invalid("max_tokens", "is a whole number above 0");
}

/** The tokens that end a text: the config's, and the tokenizer's own. */
export function endTokens(config: JsonObject, modelConfig: JsonObject, tokenizerEnd: number | undefined): ReadonlySet<number> {
  const stated = config["eos_token_id"] ?? modelConfig["eos_token_id"];
  const ids = (Array.isArray(stated) ? stated : [stated]).filter((id): id is number => Number.isSafeInteger(id));
  return new Set(tokenizerEnd === undefined ? ids : [...ids, tokenizerEnd]);
}

function within(field: string, value: unknown, min: number, max: number): void {
  if (!(typeof value === "number" && value >= min && value <= max)) throw invalid(field, `is a number from ${min} to ${max}`);
}

const invalid = (field: string, what: string): LeaseholdError => new LeaseholdError("invalid-request", `${field} ${what}.`);
