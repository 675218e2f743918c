/**
 * The engine's files, as the network brings them.
 *
 * - One that does not come is asked for again after each of `pausesMs`; then it is `network-failed`, which says nothing of
 *   what this browser can do. Where one is not there, that is another error, at once.
 * - A browser says alike of code that did not come and of code that it can't run. So where an engine's code did not get to
 *   run (`NotLoaded`), its files are asked for; where they come, it is started once more, by names of its own, for a
 *   browser may keep a module that failed, and onnxruntime keeps that it did.
 */
import { LeaseholdError } from "../../errors.ts";

const PAUSES_MS: readonly number[] = [500, 2000];
const TOO_MANY_REQUESTS = 429;
const AGAIN = "?again";

/** The engine's code did not get to run. */
export class NotLoaded extends Error {}

export async function loading<T>(code: Promise<T>): Promise<T> {
  try {
    return await code;
  } catch (cause) {
    throw notLoaded(cause);
  }
}

export const notLoaded = (cause: unknown): NotLoaded => new NotLoaded(cause instanceof Error ? cause.message : String(cause), { cause });

/** `again`: what the names of modules end in. */
export async function startWhereFilesCome<T>(files: readonly URL[], start: (again: string) => Promise<T>, pausesMs = PAUSES_MS): Promise<T> {
  try {
    return await start("");
  } catch (error) {
    if (!(error instanceof NotLoaded)) throw error;
    for (const file of files) await fetchFile(file, async ({ body }) => body?.cancel(), pausesMs).catch((missing: unknown) => Promise.reject(missing instanceof LeaseholdError ? missing : error));
    return start(AGAIN);
  }
}

export async function fetchFile<T>(url: URL, read: (answer: Response) => Promise<T>, pausesMs = PAUSES_MS): Promise<T> {
  for (const pause of pausesMs) {
    try {
      return await fetchOnce(url, read);
    } catch (error) {
      if (!(error instanceof LeaseholdError)) throw error;
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
  }
  return fetchOnce(url, read);
}

async function fetchOnce<T>(url: URL, read: (answer: Response) => Promise<T>): Promise<T> {
  const name = url.pathname.slice(url.pathname.lastIndexOf("/") + 1);
  let answer: Response;
  try {
    answer = await fetch(url);
    if (answer.ok) return await read(answer);
  } catch (cause) {
    throw new LeaseholdError("network-failed", `${name}, a part of the engine, could not be fetched. Check the connection and try again.`, { cause });
  }
  if (answer.status >= 500 || answer.status === TOO_MANY_REQUESTS) throw new LeaseholdError("network-failed", `${name}, a part of the engine, can't be had at the moment (${answer.status}). Try again later.`);
  throw new Error(`${name} can't be fetched (${answer.status})`);
}
