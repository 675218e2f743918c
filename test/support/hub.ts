/**
 * A model hub on a local port: the parts of Hugging Face's API that an import asks, over real sockets.
 *
 * - `/api/models/{id}/revision/{rev}` describes; `/{id}/resolve/{commit}/{path}` redirects files above `LFS_BYTES` to
 *   `/cdn/…` with `x-linked-etag` and `x-linked-size`, and sends smaller ones itself. Ranges are honoured.
 * - `fault` decides each request before it is answered; `heard` is what came.
 */
import { createHash } from "node:crypto";
import { once } from "node:events";
import { type IncomingMessage, type Server, type ServerResponse, createServer } from "node:http";
import type { AddressInfo } from "node:net";

export const COMMIT = "0123456789abcdef0123456789abcdef01234567";
const LFS_BYTES = 64 * 1024;

export interface Repository {
  readonly files: Readonly<Record<string, Uint8Array>>;
  readonly pipeline?: string;
  readonly licence?: string;
  /** Needs this token. */
  readonly token?: string;
  /** Described as a mirror may do it: by names alone. */
  readonly isTerse?: true;
}

/** `drip`: a byte now and then, without end. `cut`: the body breaks off in the middle. `corrupt`: one bit of it is flipped. `whole`: the range is ignored. A number: that status. */
export type HubFault = null | "drip" | "cut" | "corrupt" | "whole" | number | { readonly status: number; readonly retryAfter: string | undefined } | { readonly location: string };

export interface Heard {
  readonly path: string;
  readonly range: string | undefined;
  readonly authorization: string | undefined;
}

export class TestHub {
  readonly heard: Heard[] = [];
  fault: (request: Heard, index: number) => HubFault = () => null;
  /** Milliseconds between two pieces of a body. */
  pause = 0;
  /** Bodies that are dripping now. */
  dripping = 0;
  readonly #repositories: Readonly<Record<string, Repository>>;
  readonly #server: Server;

  private constructor(repositories: Readonly<Record<string, Repository>>) {
    this.#repositories = repositories;
    this.#server = createServer((request, response) => void this.#answer(request, response).catch(() => response.destroy()));
  }

  static async start(repositories: Readonly<Record<string, Repository>>): Promise<TestHub> {
    const hub = new TestHub(repositories);
    hub.#server.listen(0, "127.0.0.1");
    await once(hub.#server, "listening");
    return hub;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname } = new URL(request.url ?? "/", this.url);
    const heard = { path: decodeURIComponent(pathname), range: request.headers.range, authorization: request.headers.authorization };
    const fault = this.fault(heard, this.heard.push(heard) - 1);
    if (typeof fault === "number") return void response.writeHead(fault).end("the hub fails");
    if (typeof fault === "object" && fault !== null && "status" in fault) return void response.writeHead(fault.status, fault.retryAfter === undefined ? {} : { "retry-after": fault.retryAfter }).end("the hub fails");
    if (typeof fault === "object" && fault !== null) return void response.writeHead(302, fault).end();
    const api = /^\/api\/models\/([^/]+\/[^/]+)\/revision\/[^/]+$/.exec(pathname)?.[1]; // its slashes encoded
    const [, id, path, cdn] = /^\/([^/]+\/[^/]+)\/resolve\/[0-9a-f]{40}\/(.+?)(\?cdn)?$/.exec(heard.path.replace(/^\/cdn(\/.*)$/, "$1?cdn")) ?? [];
    const repository = this.#repositories[api ?? id ?? ""];
    if (!repository) return void response.writeHead(404).end();
    if (repository.token !== undefined && heard.authorization !== `Bearer ${repository.token}`) return void response.writeHead(401).end();
    if (api !== undefined) return void response.setHeader("content-type", "application/json").end(JSON.stringify(described(repository)));
    const bytes = repository.files[path ?? ""];
    if (!bytes) return void response.writeHead(404).end();
    if (bytes.length > LFS_BYTES && !cdn) {
      return void response.writeHead(302, { location: `/cdn${pathname}`, "x-linked-etag": `"${digest("sha256", bytes)}"`, "x-linked-size": String(bytes.length) }).end();
    }
    await this.#send(bytes, heard.range, fault, response);
  }

  async #drip(response: ServerResponse): Promise<void> {
    this.dripping++;
    while (!response.destroyed) {
      response.write("x");
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    this.dripping--;
  }

  async #send(all: Uint8Array, range: string | undefined, fault: HubFault, response: ServerResponse): Promise<void> {
    const first = fault === "whole" ? 0 : Number(/^bytes=(\d+)-$/.exec(range ?? "")?.[1] ?? 0);
    const body = Buffer.from(all.subarray(first));
    if (fault === "corrupt" && body.length > 0) body.writeUInt8(body.readUInt8(0) ^ 1, 0);
    const partial = range !== undefined && fault !== "whole";
    response.writeHead(partial ? 206 : 200, { "content-length": body.length, etag: `"${digest("sha256", all)}"`, ...(partial && { "content-range": `bytes ${first}-${all.length - 1}/${all.length}` }) });
    if (fault === "drip") return this.#drip(response);
    const end = fault === "cut" ? Math.floor(body.length / 2) : body.length;
    for (let at = 0; at < end; at += 1024 * 1024) {
      if (!response.write(body.subarray(at, Math.min(end, at + 1024 * 1024)))) await drained(response);
      if (response.destroyed) return;
      if (this.pause > 0) await new Promise((resolve) => setTimeout(resolve, this.pause));
    }
    if (fault === "cut") response.destroy();
    else response.end();
  }
}

/** Until there is room for more, or nobody listens any more. */
function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const go = () => {
      response.off("drain", go).off("close", go);
      resolve();
    };
    response.on("drain", go).on("close", go);
  });
}

function described({ files, pipeline, licence, isTerse }: Repository) {
  const siblings = Object.entries(files).map(([rfilename, bytes]) => ({
    rfilename,
    ...(!isTerse && { size: bytes.length, blobId: digest("sha1", Buffer.concat([Buffer.from(`blob ${bytes.length}\0`), bytes])) }),
    ...(!isTerse && bytes.length > LFS_BYTES && { lfs: { sha256: digest("sha256", bytes), size: bytes.length, pointerSize: 130 } }),
  }));
  return { sha: COMMIT, pipeline_tag: pipeline, cardData: { license: licence }, siblings };
}

const digest = (algorithm: string, bytes: Uint8Array) => createHash(algorithm).update(bytes).digest("hex");
