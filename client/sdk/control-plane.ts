/**
 * The control plane over HTTP, typed. Everything it throws is a `LeaseholdError`.
 *
 * - A credential goes to `baseUrl`'s origin only.
 * - A lease is presented by the `Prover`; an answer that asks for another nonce is followed once.
 * - No answer, a broken one or none within the time limit is `network-failed`; a fired signal is `aborted`.
 * - A chunk's body may take as long as it likes while bytes keep coming.
 */
import type { LeaseGranted, LeaseState, Metadata, UsageReport } from "../../schema/contract/leases.ts";
import type { Chunk } from "../../schema/contract/models.ts";
import type { FetchChunkOptions } from "../cache/fetch-model.ts";
import { LeaseholdError } from "../errors.ts";
import { readError, readJson } from "./answers.ts";
import type { ChunkBuffer } from "./chunk-buffer.ts";
import type { HeldLease } from "./offline-record.ts";
import type { Presentation, Prover } from "./prover.ts";
import { withRetries } from "./retries.ts";
import { isLeaseGranted, isLeaseState } from "./shapes.ts";

const ANSWER_TIMEOUT_MS = 20_000;
const STALL_TIMEOUT_MS = 30_000;

/** The body of POST /v1/leases as a client writes it: defaults are the server's. */
export interface LeaseAsk {
  readonly model: string;
  readonly purpose: "inference" | "download";
  readonly tokens?: number;
  /** Calls that share the lease; one where it isn't given. */
  readonly calls?: number | undefined;
  /** The revision that is ready here, or on its way. */
  readonly revision?: string | undefined;
  readonly user?: string;
  readonly user_signature?: string;
  readonly request_id?: string;
  readonly metadata?: Metadata;
  readonly offline?: true;
  readonly ttl_s?: number;
}

type Credential = { readonly kind: "key" | "lease"; readonly token: string };

interface Call {
  readonly method: "GET" | "POST";
  readonly as: Credential;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
  readonly keepalive?: boolean;
}

export class ControlPlane {
  readonly #base: URL;
  readonly #prover: Prover;

  constructor(baseUrl: string, prover: Prover) {
    this.#base = new URL(baseUrl);
    this.#prover = prover;
  }

  /**
   * A request that got no answer is sent once more under the same idempotency key, so that it is granted once. Nothing
   * stops it: what is granted has to be heard of, or nobody gives it back.
   */
  async createLease(publishableKey: string, ask: LeaseAsk): Promise<LeaseGranted> {
    const headers = { "Idempotency-Key": crypto.randomUUID() };
    const body = { ...ask, dpop_jkt: await this.#prover.jkt() };
    const grant = await withRetries(
      () => this.#json("/v1/leases", { method: "POST", as: { kind: "key", token: publishableKey }, body, headers }, isLeaseGranted),
      { delaysMs: [400], isWorthIt: (error) => error.code === "network-failed" },
    );
    await this.#prover.prepare(grant.lease, "POST", this.#url(usagePath(grant)).href);
    return grant;
  }

  /** Sent with `keepalive`, so that it also leaves a page that is closing. */
  reportUsage(grant: HeldLease, report: UsageReport): Promise<LeaseState> {
    return this.#json(usagePath(grant), { method: "POST", as: leaseOf(grant), body: report, keepalive: true }, isLeaseState);
  }

  /** The manifest as served; the caller checks its digest. */
  async manifest(grant: HeldLease, signal?: AbortSignal): Promise<Uint8Array<ArrayBuffer>> {
    return this.#exchange(grant.model.manifest_url, { method: "GET", as: leaseOf(grant), signal }, async (response) => {
      if (!response.ok) throw await readError(response);
      return new Uint8Array(await response.arrayBuffer());
    });
  }

  /**
   * Fills what is missing of a chunk. An answer that ends early, or is not the range that was asked for, is
   * `network-failed`: what came stays for the next call where it can. One byte too many is kept, so that it is seen.
   */
  async chunk(lease: string, chunk: Chunk, into: ChunkBuffer, { signal, onBytes }: FetchChunkOptions): Promise<void> {
    const headers = into.filled > 0 ? { Range: `bytes=${into.filled}-`, "If-Range": `"${chunk.sha256}"` } : undefined;
    await this.#exchange(`/v1/blobs/${chunk.sha256}`, { method: "GET", as: { kind: "lease", token: lease }, headers, signal }, async (response, keepAlive) => {
      const isRest = response.status === 206 && response.headers.get("Content-Range") === `bytes ${into.filled}-${chunk.size - 1}/${chunk.size}`;
      if (!isRest) into.clear();
      if (!response.ok && response.status !== 416) throw await readError(response);
      if (response.status !== 200 && !isRest) throw broken("The service sent another part of the weights than was asked for.");
      const reader = response.body?.getReader(); // Safari has no `for await` over a body yet
      for (let part = await reader?.read(); part?.value; part = await reader?.read()) {
        keepAlive(STALL_TIMEOUT_MS);
        const hasRoom = into.add(part.value);
        onBytes(into.filled);
        if (!hasRoom) return reader?.cancel();
      }
      if (into.filled < chunk.size) throw broken("The connection ended in the middle of the weights.");
    });
  }

  #url(path: string): URL {
    const url = new URL(path, this.#base);
    if (url.origin !== this.#base.origin) throw new LeaseholdError("bad-response", "The service named an address that is not its own.");
    return url;
  }

  #json<T>(path: string, call: Call, isExpected: (value: unknown) => value is T): Promise<T> {
    return this.#exchange(path, call, (response) => readJson(response, isExpected));
  }

  /** A stale nonce is refused before anything is done: the same request is sent once more with the new one. */
  async #exchange<T>(path: string, call: Call, read: Read<T>): Promise<T> {
    const url = this.#url(path);
    const { as, method } = call;
    if (as.kind === "key") return this.#send(url, call, { Authorization: `Bearer ${as.token}` }, read);
    const present = () => this.#prover.present(as.token, method, url.href);
    try {
      // Where a proof is ready the request leaves at once: the page may be going away.
      return await this.#send(url, call, this.#prover.takeReady(url.href) ?? (await present()), read);
    } catch (error) {
      if (!(error instanceof LeaseholdError) || error.code !== "dpop-nonce-required") throw error;
      return this.#send(url, call, await present(), read);
    }
  }

  /** One request and the reading of its answer, under one time limit that `read` may push out. */
  async #send<T>(url: URL, call: Call, credential: Presentation, read: Read<T>): Promise<T> {
    const limit = new AbortController();
    let timer = setTimeout(() => limit.abort(), ANSWER_TIMEOUT_MS);
    const keepAlive = (ms: number) => {
      clearTimeout(timer);
      timer = setTimeout(() => limit.abort(), ms);
    };
    const headers: Record<string, string> = { ...call.headers, ...credential };
    if (call.body !== undefined) headers["Content-Type"] = "application/json";
    try {
      const response = await fetch(url, {
        method: call.method,
        headers,
        body: call.body === undefined ? undefined : JSON.stringify(call.body),
        signal: call.signal ? AbortSignal.any([call.signal, limit.signal]) : limit.signal,
        keepalive: call.keepalive ?? false,
        credentials: "omit",
        redirect: "error",
        // Chunks are kept in the tenant's own cache, verified; the HTTP cache would hold them a second time.
        cache: "no-store",
      });
      this.#prover.note(response.headers);
      return await read(response, keepAlive);
    } catch (error) {
      if (error instanceof LeaseholdError) throw error;
      if (call.signal?.aborted) throw new LeaseholdError("aborted", "Stopped.", { cause: error });
      throw new LeaseholdError("network-failed", "The service could not be reached. Check the connection and try again.", { cause: error });
    } finally {
      clearTimeout(timer);
    }
  }
}

const broken = (message: string) => new LeaseholdError("network-failed", message);

type Read<T> = (response: Response, keepAlive: (ms: number) => void) => Promise<T>;

const leaseOf = ({ lease }: HeldLease): Credential => ({ kind: "lease", token: lease });
const usagePath = (grant: HeldLease) => `/v1/leases/${grant.lease_id}/usage`;
