/**
 * A model hub over HTTP, as Hugging Face's serves it (or another at `HF_ENDPOINT`).
 *
 * - Every address is judged before it is asked, those of redirects too: the operator's endpoint itself may be anywhere,
 *   all others must be on the public internet.
 * - The token goes to the endpoint's own origin and nowhere else.
 * - Files are asked for at a commit, never at a branch: all of an import are of one state.
 * - A hub may be slow; one that stops, or drips, is left (`HubLimits`).
 * - Throws `HubFault`: one that `isFinal` will be no better the next time.
 */
import { z } from "zod";
import type { ImportFault } from "../../schema/contract/imports.ts";
import { judgeDestination } from "../webhooks/destination.ts";

export class HubFault extends Error {
  readonly code: ImportFault;
  readonly isFinal: boolean;
  /** How long the hub wants to be left alone; 0 where it does not say. */
  readonly retryAfterMs: number;

  constructor(code: ImportFault, detail: string, isFinal = code !== "source-unreachable", retryAfterMs = 0) {
    super(detail);
    this.code = code;
    this.isFinal = isFinal;
    this.retryAfterMs = retryAfterMs;
  }
}

export interface HubFile {
  readonly path: string;
  readonly size: number;
  /** What the hub states of the content: SHA-256 of large files, git's SHA-1 of small ones. */
  readonly sha256: string | null;
  readonly git: string | null;
}

export interface HubModel {
  readonly commit: string;
  readonly pipeline: string | null;
  readonly licence: string | null;
  readonly files: readonly HubFile[];
}

const hex = (length: number) => z.string().regex(new RegExp(`^[0-9a-f]{${length}}$`));
const described = z.object({
  sha: hex(40),
  pipeline_tag: z.string().max(100).nullish(),
  cardData: z.object({ license: z.string().max(100).nullish().catch(null) }).nullish().catch(null),
  siblings: z
    .array(z.object({ rfilename: z.string().max(1000), size: z.int().min(0).nullish(), blobId: hex(40).nullish(), lfs: z.object({ sha256: hex(64), size: z.int().min(0) }).nullish() }))
    .max(10_000),
});

const MAX_REDIRECTS = 5;
/** A model has a dozen files, and an import some builds of it. */
const MAX_ASKED = 64;

/** A hub that sends nothing for `silenceMs` has stopped; one that sends less than `paceBytes` in `paceMs` might as well have. */
export interface HubLimits {
  readonly silenceMs: number;
  readonly paceMs: number;
  readonly paceBytes: number;
}

/** 35 kB a second: a chunk of 4 MiB takes two minutes at most. */
const LIMITS: HubLimits = { silenceMs: 30_000, paceMs: 60_000, paceBytes: 2 * 1024 ** 2 };
/** `linked`: fields of the endpoint's own answer, which may have led on. */
interface Answered {
  readonly response: Response;
  readonly linked: Headers;
}

/** At most so much at a time; without a size of our own workerd reads 4 KiB, and a gigabyte takes seconds of the object's thread. */
const PART_BYTES = 64 * 1024;
/**
 * Largest file that is gone on with where the hub sends it from its beginning each time: what has come is read again in
 * each slice of an import, so that a file that takes many slices would never end.
 */
export const MOST_WITHOUT_RANGES = 256 * 1024 ** 2;
const MAX_DESCRIPTION_BYTES = 8 * 1024 * 1024;

export class Hub {
  readonly #endpoint: URL;
  readonly #token: string | null;
  readonly #cancelled: AbortSignal | undefined;
  readonly #limits: HubLimits;

  /** `cancelled`: ends whatever is under way, at once. */
  constructor(endpoint: string, token: string | null, cancelled?: AbortSignal, limits: HubLimits = LIMITS) {
    this.#endpoint = new URL(endpoint.endsWith("/") ? endpoint : `${endpoint}/`);
    this.#token = token;
    this.#cancelled = cancelled;
    this.#limits = limits;
  }

  /** Of files whose size the description leaves out, as that of a mirror may, those that are `wanted` are asked for one by one. */
  async describe(repository: string, revision: string, wanted: (path: string) => boolean = () => true): Promise<HubModel> {
    const { response, patience } = await this.#get(`api/models/${repository}/revision/${encodeURIComponent(revision)}?blobs=true`, {});
    const parsed = described.safeParse(parsedJson(await text(response, patience, MAX_DESCRIPTION_BYTES)));
    if (!parsed.success) throw new HubFault("source-unsafe", "The hub's description of the model is not one.");
    const { sha, pipeline_tag, cardData, siblings } = parsed.data;
    const files: HubFile[] = [];
    let asked = 0;
    for (const { rfilename: path, size, blobId, lfs } of siblings) {
      const bytes = lfs?.size ?? size;
      if (bytes != null) files.push({ path, size: bytes, sha256: lfs?.sha256 ?? null, git: lfs ? null : (blobId ?? null) });
      else if (wanted(path)) {
        if (++asked > MAX_ASKED) throw new HubFault("source-unsafe", `The hub states no sizes, of more than ${MAX_ASKED} files.`);
        files.push(await this.#stated(repository, sha, path));
      }
    }
    return { commit: sha, pipeline: pipeline_tag ?? null, licence: cardData?.license ?? null, files };
  }

  /** What the hub says of a file when that is asked for; the SHA-256 is that of Hugging Face's own field. */
  async #stated(repository: string, commit: string, path: string): Promise<HubFile> {
    const { response, linked } = await this.#get(fileAt(repository, commit, path), { "accept-encoding": "identity" });
    await response.body?.cancel();
    const size = /^\d{1,15}$/.exec(linked.get("x-linked-size") ?? response.headers.get("content-length") ?? "")?.[0];
    if (size === undefined) throw new HubFault("source-unsafe", `The hub states no size of ${path}.`);
    return { path, size: Number(size), sha256: /^"([0-9a-f]{64})"$/.exec(linked.get("x-linked-etag") ?? "")?.[1] ?? null, git: null };
  }

  /** A small file, whole. */
  async text(repository: string, commit: string, path: string, max: number): Promise<string> {
    const { response, patience } = await this.#get(fileAt(repository, commit, path), {});
    return text(response, patience, max);
  }

  /**
   * The file's bytes from `offset` on. A hub that does not know ranges sends all of it, and what comes before is passed
   * over; not of files that are larger than `MOST_WITHOUT_RANGES`.
   */
  async *read(repository: string, commit: string, { path, size }: Pick<HubFile, "path" | "size">, offset: number): AsyncGenerator<Uint8Array> {
    const { response, patience } = await this.#get(fileAt(repository, commit, path), { range: `bytes=${offset}-`, "accept-encoding": "identity" });
    let skip = offset;
    if (response.status === 206) {
      const [, first, total] = /^bytes (\d+)-\d+\/(\d+)$/.exec(response.headers.get("content-range") ?? "") ?? [];
      if (Number(first) !== offset || Number(total) !== size) throw new HubFault("source-changed", `${path}: the hub sends another range, or of another file, than was asked for.`);
      skip = 0;
    } else if (offset > 0 && size > MOST_WITHOUT_RANGES) {
      await response.body?.cancel();
      throw new HubFault("source-without-ranges", `${path} has ${size} bytes, and the hub sends it from its beginning only.`);
    }
    for await (const bytes of parts(response, patience)) {
      if (skip >= bytes.byteLength) skip -= bytes.byteLength;
      else {
        yield skip > 0 ? bytes.subarray(skip) : bytes;
        skip = 0;
      }
    }
  }

  async #get(path: string, headers: Readonly<Record<string, string>>): Promise<Answered & { patience: Patience }> {
    const patience = new Patience(this.#limits, this.#cancelled);
    return { ...(await this.#follow(path, headers, patience)), patience };
  }

  /** Follows redirects, each judged. */
  async #follow(path: string, headers: Readonly<Record<string, string>>, patience: Patience): Promise<Answered> {
    let url = new URL(path, this.#endpoint);
    let linked = new Headers();
    for (let hop = 0; hop <= MAX_REDIRECTS; hop++) {
      const isHome = url.origin === this.#endpoint.origin;
      if (!isHome) {
        const verdict = judgeDestination(url.href);
        if (!verdict.ok) throw new HubFault("source-unsafe", `The hub leads to an address that ${verdict.reason}.`);
      }
      const asked = new Headers({ ...headers, "user-agent": "Leasehold-Import/1" });
      if (isHome && this.#token !== null) asked.set("authorization", `Bearer ${this.#token}`);
      const response = await patience.wait(() => fetch(url, { headers: asked, redirect: "manual", signal: patience.signal }), () => 0);
      if (isHome && response.headers.has("x-linked-size")) linked = response.headers;
      const location = response.headers.get("location");
      if (response.status < 300 || response.status >= 400 || location === null) return { response: await good(response), linked };
      await response.body?.cancel();
      if (!URL.canParse(location, url)) throw new HubFault("source-unsafe", "The hub leads to what is no address.");
      url = new URL(location, url);
    }
    throw new HubFault("source-unsafe", `The hub leads on more than ${MAX_REDIRECTS} times.`);
  }
}

const fileAt = (repository: string, commit: string, path: string) => `${repository}/resolve/${commit}/${path.split("/").map(encodeURIComponent).join("/")}`;

/**
 * What is waited for of the hub: aborts where nothing comes for a while, or too little in a longer one. Only waiting
 * counts, not what is done with what came.
 */
class Patience {
  readonly #limits: HubLimits;
  readonly #controller = new AbortController();
  #waitedMs = 0;
  #bytes = 0;

  constructor(limits: HubLimits, cancelled: AbortSignal | undefined) {
    this.#limits = limits;
    if (cancelled?.aborted) this.#controller.abort();
    cancelled?.addEventListener("abort", () => this.#controller.abort());
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  async wait<T>(work: () => Promise<T>, bytesOf: (answer: T) => number): Promise<T> {
    const { silenceMs, paceMs, paceBytes } = this.#limits;
    const began = Date.now();
    const timer = setTimeout(() => this.#controller.abort(), Math.max(0, Math.min(silenceMs, paceMs - this.#waitedMs)));
    try {
      const answer = await reached(work);
      this.#bytes += bytesOf(answer);
      this.#waitedMs += Date.now() - began;
      if (this.#bytes >= paceBytes) this.#bytes = this.#waitedMs = 0;
      return answer;
    } finally {
      clearTimeout(timer);
    }
  }
}

async function good(response: Response): Promise<Response> {
  if (response.ok) return response;
  await response.body?.cancel();
  const { status } = response;
  if (status === 401 || status === 403) throw new HubFault("source-forbidden", `The hub answered ${status}.`);
  if (status === 404 || status === 410) throw new HubFault("source-not-found", `The hub answered ${status}.`);
  if (status === 416) throw new HubFault("source-changed", "A file is shorter than the hub said.");
  const seconds = /^\d{1,6}$/.exec(response.headers.get("retry-after") ?? "")?.[0] ?? 0;
  throw new HubFault("source-unreachable", `The hub answered ${status}.`, false, Number(seconds) * 1000);
}

/** What the network does is no fault of the model: it is asked again. */
async function reached<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (cause instanceof HubFault) throw cause;
    throw new HubFault("source-unreachable", "The connection to the hub broke, or it sent nothing, or too little, for a while.");
  }
}

async function* parts(response: Response, patience: Patience): AsyncGenerator<Uint8Array> {
  const reader = (response.body as ReadableStream<Uint8Array> | null)?.getReader({ mode: "byob" });
  if (!reader) return;
  try {
    for (;;) {
      const { done, value } = await patience.wait(() => reader.read(new Uint8Array(PART_BYTES)), (read) => read.value?.byteLength ?? 0);
      if (done) return;
      yield value;
    }
  } finally {
    await reader.cancel().catch(() => undefined); // it has ended, or broken, already
  }
}

async function text(response: Response, patience: Patience, max: number): Promise<string> {
  const decoder = new TextDecoder();
  let [size, all] = [0, ""];
  for await (const bytes of parts(response, patience)) {
    size += bytes.byteLength;
    if (size > max) throw new HubFault("source-unsafe", `The hub sends more than ${max} bytes where less is due.`);
    all += decoder.decode(bytes, { stream: true });
  }
  return all + decoder.decode();
}

function parsedJson(source: string): unknown {
  try {
    return JSON.parse(source);
  } catch {
    return undefined; // what it is not, the schema says
  }
}
