/**
 * Whether workers can share memory here.
 *
 * - WebKitGTK calls a page isolated and has no `SharedArrayBuffer` all the same.
 */
export const hasSharedMemory = (): boolean => globalThis.crossOriginIsolated && typeof SharedArrayBuffer !== "undefined";
