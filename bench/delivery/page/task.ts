/** What a page of the bench is to do, in its address, and what it has to say. Both sides get the same words. */

export interface OurTask {
  readonly kind: "text" | "ocr";
  readonly publishableKey: string;
  readonly baseUrl: string;
  /** "ocr": a PNG. */
  readonly picture?: string;
}

export interface PeerTask {
  readonly model: string;
  readonly threads: number;
}

export interface NeighbourTask {
  readonly baseUrl: string;
  /** The publishable key of the tenant whose model runs. */
  readonly runs: string;
  /** Of the one whose model loads. */
  readonly loads: string;
  /** A PNG. */
  readonly picture: string;
}

export interface Told {
  /** From the start of the navigation to the first word of the answer. */
  readonly firstMs: number;
  readonly text: string;
  /** When each stage began, in the same time; ours only. */
  readonly stages: Readonly<Record<string, number>>;
}

declare global {
  var visited: Promise<Told> | undefined;
}

export const MESSAGES = [{ role: "user" as const, content: "Name three things that one finds at the sea." }];
/** After the first: memory is at its peak by then. */
export const TOKENS = 8;

export const taskOf = <T>(): T => JSON.parse(decodeURIComponent(location.hash.slice(1))) as T;
