/**
 * Opens a picture in the browser, page or worker.
 *
 * - What is too large is refused from its header, before a decoder would fill hundreds of megabytes.
 * - Sizes are as seen: turned as EXIF says.
 * - Throws `image-unreadable` or `image-too-large`, nothing else.
 */
import { LeaseholdError } from "../../../errors.ts";
import { readImageHeader } from "./image-header.ts";
import { requireAcceptable, type Size } from "./plan.ts";

/** Enough for the segments before a JPEG's frame in nearly every file; else the whole file is looked at. */
const HEADER_BYTES = 64 * 1024;
/** No picture within the limit of pixels is larger (40 megapixels of 32 bits, uncompressed). */
const MAX_BYTES = 192 * 1024 * 1024;

/** The size of the picture, decoded to make sure that it can be. */
export async function imageSize(image: Blob): Promise<Size> {
  const bitmap = await openImage(image);
  const { width, height } = bitmap;
  bitmap.close();
  return { width, height };
}

/** The caller closes the bitmap. */
export async function openImage(image: Blob): Promise<ImageBitmap> {
  if (image.size > MAX_BYTES) throw new LeaseholdError("image-too-large", `The file has ${Math.round(image.size / 1e6)} MB; pictures of up to ${Math.round(MAX_BYTES / 1e6)} MB are read.`);
  const bitmap = await decode(image);
  try {
    requireAcceptable(bitmap.width, bitmap.height);
  } catch (error) {
    bitmap.close();
    throw error;
  }
  return bitmap;
}

async function decode(image: Blob): Promise<ImageBitmap> {
  try {
    const stated = await statedSize(image);
    if (stated) requireAcceptable(stated.width, stated.height);
    return await createImageBitmap(image, { imageOrientation: "from-image" });
  } catch (error) {
    if (error instanceof LeaseholdError) throw error;
    throw new LeaseholdError("image-unreadable", "The file is not an image that this browser can read. Use a PNG, JPEG or WebP file.", { cause: error });
  }
}

async function statedSize(image: Blob): Promise<Size | null> {
  for (const length of [HEADER_BYTES, image.size]) {
    const stated = readImageHeader(new Uint8Array(await image.slice(0, length).arrayBuffer()));
    if (stated !== "more") return stated;
  }
  return null;
}
