/** What a page imports as `leasehold`. */
export { CLIENT_CODES, type ErrorCode, LeaseholdError } from "../errors.ts";
export type { RawTensor } from "../runtime/tasks/raw/tensors.ts";
export { Leasehold, type LeaseholdEvents, type LeaseholdOptions, type OfflinePlan, type Preloaded } from "./leasehold.ts";
export type { Progress } from "./progress.ts";
export type { QuotaView } from "./quota.ts";
export type { ReadRequest, ReadResult } from "./read-image.ts";
export type { Classified, ClassifyRequest, EmbeddingRequest, EmbeddingResponse, ImageEmbeddingRequest, ImageEmbeddings, RunRequest, Tagged, TagRequest, TaskRequest, TaskResponse } from "./text/encoder-calls.ts";
export type { CallOptions } from "./text/hold.ts";
export type { ChatChunk, ChatCompletion, ChatRequest, Completion, CompletionRequest, FunctionCall, FunctionTool, Message, Usage } from "./text/openai.ts";
