/** A result over a drawn picture, and a line to a page that notes what it is told. */
import type { Line } from "../../../client/embed/greeting.ts";
import type { ReadResult } from "../../../client/sdk/read-image.ts";
import type { FromEmbed, ToEmbed } from "../../../client/widget/protocol.ts";

export const TEXTS = ["CORNER BAKERY", "Sourdough loaf 4.50", "Total 12.70"];

export async function drawnPicture(width = 300, height = 200): Promise<File> {
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d");
  if (!context) throw new Error("no canvas");
  context.fillStyle = "white";
  context.fillRect(0, 0, width, height);
  return new File([await canvas.convertToBlob()], "receipt.png", { type: "image/png" });
}

export function resultOf(texts: readonly string[] = TEXTS): ReadResult {
  return {
    blocks: texts.map((text, index) => {
      const [top, bottom] = [20 + index * 50, 50 + index * 50];
      return { text, line: index, confidence: index === 1 ? 0.5 : 0.98, box: [{ x: 10, y: top }, { x: 200, y: top }, { x: 200, y: bottom }, { x: 10, y: bottom }] };
    }),
    width: 300,
    height: 200,
    backend: "wasm",
    threads: 2,
    reason: "This browser has no WebGPU adapter.",
    usage: { input_tokens: 80, output_tokens: 0 },
    lease_id: "ls_acme_x",
    request_id: "req_1",
    cache: "hit",
  };
}

export interface TestLine extends Line {
  readonly told: FromEmbed[];
  say(message: ToEmbed): void;
  /** The next message of that kind, or the one that has come. */
  heard<K extends FromEmbed["kind"]>(kind: K): Promise<Extract<FromEmbed, { kind: K }>>;
}

export function testLine(): TestLine {
  const told: FromEmbed[] = [];
  let listener: (message: ToEmbed) => void = () => undefined;
  return {
    settings: { key: "lh_pk_acme_x", model: "ocr", theme: "auto", backend: "auto", view: "picture" },
    told,
    send: (message) => told.push(structuredClone(message)), // what a port can't carry must fail here too
    listen: (next) => {
      listener = next;
    },
    say: (message) => listener(message),
    async heard(kind) {
      for (let tries = 0; tries < 1_500; tries++) {
        const found = told.find((message) => message.kind === kind);
        if (found) return found as never;
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
      throw new Error(`nothing of kind ${kind} was told`);
    },
  };
}
