/** A picture's pixels, for the worker: turned as EXIF says, on white where it is transparent. */
import { openImage } from "./decode-size.ts";
import { workingSize, type Size } from "./plan.ts";
import type { Raster } from "./raster.ts";

export interface Decoded {
  /** The picture's own size. */
  readonly source: Size;
  /** Its pixels, at `workingSize`. */
  readonly raster: Raster;
}

export async function decodeImage(image: Blob): Promise<Decoded> {
  const bitmap = await openImage(image);
  try {
    const source = { width: bitmap.width, height: bitmap.height };
    const { width, height } = workingSize(source.width, source.height);
    // Kept on the CPU: its pixels are read back at once.
    const context = new OffscreenCanvas(width, height).getContext("2d", { alpha: false, willReadFrequently: true });
    if (!context) throw new Error("this browser gives no canvas to a worker");
    context.fillStyle = "white";
    context.fillRect(0, 0, width, height);
    context.imageSmoothingQuality = "high";
    context.drawImage(bitmap, 0, 0, width, height);
    return { source, raster: { width, height, data: context.getImageData(0, 0, width, height).data } };
  } finally {
    bitmap.close();
  }
}
