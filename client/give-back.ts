/** Gives memory that nobody needs any more back at once, where the browser can: collecting garbage comes when it comes. */
export function giveBack(buffer: ArrayBuffer): void {
  if ("transfer" in buffer) buffer.transfer(0);
}
