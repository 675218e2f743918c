/** What a page asks of `decoder.worker.ts`. */
import type { Candidates, DecoderOptions } from "../../../client/runtime/decode/decoder.ts";
import type { Backend } from "../../../schema/contract/models.ts";
import type { RuntimeFile } from "../../../client/runtime/protocol.ts";

export type DecoderRequest =
  | { readonly kind: "open"; readonly files: readonly RuntimeFile[]; readonly backend: Backend; readonly ortBase: string; readonly threads: number; readonly withoutJspi?: boolean; readonly isUnrecorded?: boolean; readonly hasBrokenKernel?: boolean; readonly options: DecoderOptions }
  /** Keeps `keep` tokens of the sequence, feeds `ids`, goes on greedily. `abortAfter`: steps until one throws. */
  | { readonly kind: "generate"; readonly ids: readonly number[]; readonly count: number; readonly keep?: number; readonly abortAfter?: number }
  | { readonly kind: "candidates"; readonly ids: readonly number[]; readonly count: number }
  | { readonly kind: "save" | "restore"; readonly name: string }
  | { readonly kind: "close" };

export interface DecoderAnswer {
  readonly vocabulary: number;
  readonly contextLength: number;
  readonly position: number;
  readonly memoryBytes: number;
  readonly description: string;
  readonly ids?: readonly number[];
  /** When each token was there, in milliseconds from the request. */
  readonly at?: readonly number[];
  /** What WebGPU was asked for after the first two tokens, a token: 0 bind groups where a recorded run is played back. */
  readonly gpu?: { readonly bindGroups: number; readonly bytesRead: number };
  readonly candidates?: Candidates;
  readonly logits?: Float32Array;
}
