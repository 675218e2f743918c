/** A database that opens soon, or not at all: another tab with older code may hold it for as long as it lives. */

const OPEN_TIMEOUT_MS = 3000;

export async function inTime<D extends { close(): void }>(opening: Promise<D>): Promise<D> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const tooLate = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error("the database did not open in time")), OPEN_TIMEOUT_MS);
  });
  try {
    return await Promise.race([opening, tooLate]);
  } catch (error) {
    // An open that succeeds after we gave up must not hold later versions back.
    opening.then((db) => db.close(), () => undefined);
    throw error;
  } finally {
    clearTimeout(timer);
  }
}
