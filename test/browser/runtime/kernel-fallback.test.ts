/**
 * Kernels that pass their check on this device and then don't do: the model runs on the session path of onnxruntime,
 * gives the same text, and says why.
 */
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import type { Sha256 } from "../../../schema/contract/ids.ts";
import type { SelfTest } from "../../../schema/contract/self-test.ts";
import { sha256Hex } from "../../../client/cache/digest.ts";
import { type FilesOnTheirWay, loadRuntime, type Runtime } from "../../../client/runtime/host.ts";
import type { GenerateInput } from "../../../client/runtime/tasks/text-generation/request.ts";
import { BLOCK_DECODER_CONFIG, blockDecoderFile } from "../../support/block-decoder.ts";
import { sentencePieceTokenizer } from "../../support/small-tokenizers.ts";
import { startDecoderWorker } from "../../support/workers/ask-worker.ts";
import { filesOf } from "./model-blobs.ts";

const real = Worker;
const json = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
const tokenizer = sentencePieceTokenizer();
const files = filesOf({ "config.json": json(BLOCK_DECODER_CONFIG), "tokenizer.json": json(tokenizer.file), "tokenizer_config.json": json(tokenizer.config), "model.onnx": blockDecoderFile() });
const PROMPT = [11, 48, 85, 122, 31];
const request: GenerateInput = { kind: "generate", prompt: { kind: "tokens", ids: PROMPT }, sampling: { temperature: 0 }, maxTokens: 8, stop: [], choices: 1, logprobs: null, format: { type: "text" }, hold: null };
let selfTest: SelfTest;
let told: string;

/** Loads it in a worker where `code` ran before anything of ours. */
async function load(code: string): Promise<Runtime> {
  globalThis.Worker = class extends real {
    constructor(url: URL, options: WorkerOptions) {
      const first = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
      super(URL.createObjectURL(new Blob([`import ${JSON.stringify(first)}; import ${JSON.stringify(url.href)};`], { type: "text/javascript" })), options);
    }
  } as typeof Worker;
  return loadRuntime({ task: "text-generation", files, backend: "wasm", selfTest });
}

async function tell(runtime: Runtime): Promise<string> {
  let text = "";
  await runtime.run("text-generation", request, { onPiece: (event) => event.kind === "piece" && (text += event.text) });
  return text;
}

beforeAll(async () => {
  vi.spyOn(navigator, "hardwareConcurrency", "get").mockReturnValue(1); // a worker that comes of a blob has no workers beside it
  const worker = startDecoderWorker();
  const { description } = await worker.ask({ kind: "open", files, backend: "wasm", ortBase: "", threads: 1, options: { memoryBytes: 1e9 } });
  expect(description).toMatch(/; kernels; /);
  const { ids = [] } = await worker.ask({ kind: "generate", ids: PROMPT, count: 8 });
  worker.end();
  selfTest = { kind: "tokens", input_ids: PROMPT, output_ids: [...ids] };
  const runtime = await load("");
  expect(runtime.reason).not.toMatch(/kernels/);
  told = await tell(runtime);
  runtime.close();
});

afterEach(() => {
  globalThis.Worker = real;
});

afterAll(() => vi.restoreAllMocks());

/** Files that are still on their way: the model's with these bytes and `due`. */
async function onTheirWay(bytes: Uint8Array<ArrayBuffer>, due: Sha256): Promise<FilesOnTheirWay> {
  const all = await Promise.all(files.map(async ({ path, blob }) => ({ path, bytes: path === "model.onnx" ? bytes : new Uint8Array(await blob.arrayBuffer()) })));
  return {
    files: all.map((file, part) => ({ path: file.path, arriving: [{ part, size: file.bytes.length }] })),
    deliver: async (give) => all.forEach((file, part) => give(part, file.bytes, file.path === "model.onnx" ? due : null)),
  };
}

test.each([
  ["weights that are others", (bytes: Uint8Array<ArrayBuffer>) => bytes.fill(1, bytes.length - 64)],
  ["what is no model", (bytes: Uint8Array<ArrayBuffer>) => bytes.fill(255, 0, 64)],
])("nothing has run on %s than their SHA-256 says when that is seen: the files are asked for again", async (_, changed) => {
  const right = blockDecoderFile();
  const due = await sha256Hex(right);
  const given = [await onTheirWay(changed(right.slice()), due), await onTheirWay(right, due)];
  const stages: string[] = [];
  const runtime = await loadRuntime({ task: "text-generation", files: async () => given.shift() ?? [], backend: "wasm", onProgress: ({ stage }) => stages.push(stage) });
  expect(stages.filter((stage) => stage === "warmup")).toHaveLength(1);
  expect(stages.filter((stage) => stage === "compile")).toHaveLength(2);
  expect(runtime.reason).not.toMatch(/kernels/);
  expect(await tell(runtime)).toBe(told);
  runtime.close();
});

/** In place of `add`, beyond the check, which has a page of memory. */
const addIs = (code: string) => `
  const { instantiate } = WebAssembly;
  WebAssembly.instantiate = async (module, imports) => {
    const made = await instantiate(module, imports);
    const memory = imports?.heap?.memory;
    if (!("siluMul" in (made.exports ?? {})) || memory.buffer.byteLength <= 65536) return made;
    return { exports: { ...made.exports, add: (...places) => { ${code} } } };
  };`;
const NO_MEMORY = `
  const { Memory } = WebAssembly;
  WebAssembly.Memory = function (wish) {
    if (wish.initial > 1 && wish.initial < 256) throw new RangeError("WebAssembly.Memory(): could not allocate memory");
    return new Memory(wish);
  };`;
const NO_SIMD = `
  const { compile } = WebAssembly;
  WebAssembly.compile = async () => { throw new WebAssembly.CompileError("Wasm SIMD unsupported"); };`;

test.each([
  ["give other tokens than the self-test's", addIs(""), /its self-test gives the token \d+ at place/],
  ["give what is no number", addIs("new Float32Array(memory.buffer).fill(NaN, places[2] / 4, places[2] / 4 + 4);"), /no numbers/],
  ["stop", addIs('throw new WebAssembly.RuntimeError("memory access out of bounds");'), /The kernels stopped: memory access out of bounds/],
  ["get no memory", NO_MEMORY, /could not allocate memory/],
  ["can't be compiled", NO_SIMD, /Wasm SIMD unsupported/],
])("kernels that %s give way to the session, which says so", async (_, code, why) => {
  const runtime = await load(code);
  expect(runtime.reason).toMatch(/^WASM with .*: as asked for\. Not on kernels of our own: /);
  expect(runtime.reason).toMatch(why);
  expect(await tell(runtime)).toBe(told);
  runtime.close();
});

test("a model whose self-test neither way passes is refused, with both in mind", async () => {
  const other: SelfTest = { kind: "tokens", input_ids: PROMPT, output_ids: [((selfTest as Extract<SelfTest, { kind: "tokens" }>).output_ids[0] ?? 0) ^ 1] };
  await expect(loadRuntime({ task: "text-generation", files, backend: "wasm", selfTest: other })).rejects.toMatchObject({ code: "backend-unavailable" });
});
