/** Reads a request's body, at most `max` bytes of it; more is `payload-too-large`, and no more is read. */
import { problem } from "./problem.ts";

export async function readBytes(request: Request, max: number): Promise<ArrayBuffer> {
  const tooLarge = () => problem("payload-too-large", `The body may have ${max} bytes at most. Cut the file into smaller chunks.`);
  if (Number(request.headers.get("content-length") ?? 0) > max) throw tooLarge();
  if (!request.body) return new ArrayBuffer(0);
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of request.body as ReadableStream<Uint8Array>) {
    size += part.byteLength;
    if (size > max) throw tooLarge();
    parts.push(part);
  }
  const whole = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.byteLength;
  }
  return whole.buffer;
}
