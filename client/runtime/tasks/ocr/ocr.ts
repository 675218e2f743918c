/**
 * OCR: find the lines of text in a picture, then read each.
 *
 * - A picture without text gives no blocks, and no error.
 * - A tall box is first read as a line turned by a quarter; what comes out unsure is read again in the other turns it
 *   may have (a single digit stands upright in a tall box; a page may stand on its head), and the surest counts.
 * - A line below `MIN_CONFIDENCE` is no text.
 */
import { imageTokens } from "../../../../schema/contract/measure.ts";
import { LeaseholdError } from "../../../errors.ts";
import type { Engine } from "../../backends/engine.ts";
import { isFinite } from "../../backends/self-test.ts";
import type { Call, PreparedTask, Step, TaskAdapter } from "../task.ts";
import { decodeLine, type Reading } from "./ctc.ts";
import { decodeImage } from "./decode.ts";
import { imageSize } from "./decode-size.ts";
import { prepareDetection, readDetection } from "./detect.ts";
import { corners, scaleRect, type Quad, type RotatedRect } from "./geometry.ts";
import { loadOcrModels, OCR_FILES, type OcrModels } from "./load-models.ts";
import { orderLines } from "./order.ts";
import { planOcr } from "./plan.ts";
import type { Raster, Turn } from "./raster.ts";
import type { OcrReading } from "./reading.ts";
import { planBatches, prepareLines, type Batching, type LineJob } from "./recognize.ts";

const MIN_CONFIDENCE = 0.5;
const SURE = 0.8;
const TALL = 1.5;

/** CPU time grows with the columns, padded ones too; a GPU gains from company, and from few shapes. */
const BATCHING: Record<Engine["backend"], Batching> = {
  wasm: { bucket: 16, columns: 1024 },
  webgpu: { bucket: 64, columns: 2048 },
};

export const ocr: TaskAdapter<Blob, OcrReading> = {
  facts: { measure: "image-tokens", selfTests: ["tensors"], pipelines: [], architectures: [] },
  files: Object.values(OCR_FILES),
  engine: "sessions",
  async prepare(files, engine, step, options) {
    const models = await loadOcrModels(files, engine, step, options);
    return new OcrTask(models, BATCHING[engine.backend]);
  },
};

interface Line extends Reading {
  readonly job: LineJob;
}

class OcrTask implements PreparedTask<Blob, OcrReading> {
  readonly #models: OcrModels;
  readonly #batching: Batching;

  constructor(models: OcrModels, batching: Batching) {
    this.#models = models;
    this.#batching = batching;
  }

  async measure(image: Blob): Promise<number> {
    if (!(image instanceof Blob)) throw new LeaseholdError("invalid-request", "The input is a picture.");
    const size = await imageSize(image);
    const seen = planOcr(size.width, size.height);
    return imageTokens(seen.width, seen.height);
  }

  async run(image: Blob, { step }: Call<never>): Promise<OcrReading> {
    const began = performance.now();
    const { source, raster } = await decodeImage(image);
    await step();
    const processed = planOcr(source.width, source.height);
    const rects = await this.#detect(raster, processed);
    await step();

    const found = new Map<number, Line>();
    let ttftMs: number | undefined;
    const keep = (line: Line) => {
      ttftMs ??= performance.now() - began;
      if (line.confidence > (found.get(line.job.box)?.confidence ?? 0)) found.set(line.job.box, line);
    };
    await this.#recognize(raster, rects.map(firstJob), keep, step);
    await this.#recognize(raster, rects.flatMap((rect, box) => otherJobs(rect, box, found.get(box))), keep, step);

    const toSource = source.width / raster.width;
    const toSourceY = source.height / raster.height;
    const blocks = [...found.values()]
      .filter(({ text, confidence }) => text !== "" && confidence >= MIN_CONFIDENCE)
      .map(({ text, confidence, job }) => ({ text, confidence, box: textCorners({ ...job, rect: scaleRect(job.rect, toSource, toSourceY) }) }));
    const lines = orderLines(blocks);
    return { blocks: lines.flatMap((line, index) => line.map((block) => ({ ...block, line: index }))), ...source, processed, ttftMs };
  }

  /** Boxes in the raster's pixels. */
  async #detect(raster: Raster, processed: { width: number; height: number }): Promise<RotatedRect[]> {
    const input = prepareDetection(raster, processed);
    const map = await this.#models.detection.run(input);
    if (!isFinite(map)) throw new Error("detection gave results that are no numbers");
    const boxes = readDetection(map.tensor, input, processed);
    return boxes.map(({ rect }) => scaleRect(rect, raster.width / processed.width, raster.height / processed.height));
  }

  async #recognize(raster: Raster, jobs: readonly LineJob[], keep: (line: Line) => void, step: Step): Promise<void> {
    const { recognition, dictionary } = this.#models;
    for (const batch of planBatches(jobs, this.#batching)) {
      const { tensor, dims } = await recognition.run(prepareLines(raster, batch));
      const steps = dims[1] ?? 0;
      batch.jobs.forEach((job, row) => keep({ ...decodeLine(tensor, row, steps, dictionary), job }));
      await step();
    }
  }
}

const isTall = (rect: RotatedRect): boolean => rect.height >= TALL * rect.width;

/** Text turned clockwise, as on the spine of a book, takes three more quarters to stand upright. */
const firstJob = (rect: RotatedRect, box: number): LineJob => ({ box, rect, turn: isTall(rect) ? 3 : 0 });

function otherJobs(rect: RotatedRect, box: number, line: Line | undefined): LineJob[] {
  if (line && line.confidence >= SURE) return [];
  const turns: Turn[] = isTall(rect) ? [0, 1] : [2];
  return turns.map((turn) => ({ box, rect, turn }));
}

/** Clockwise from where the text begins. */
function textCorners({ rect, turn }: LineJob): Quad {
  const [a, b, c, d] = corners(rect);
  const quads: Record<Turn, Quad> = { 0: [a, b, c, d], 1: [d, a, b, c], 2: [c, d, a, b], 3: [b, c, d, a] };
  return quads[turn];
}
