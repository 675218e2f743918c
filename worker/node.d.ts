/** The one part of node:crypto that the Worker uses: a synchronous hash, for use inside `transactionSync`. */
declare module "node:crypto" {
  interface Hash {
    update(data: string | Uint8Array): Hash;
    digest(encoding: "hex"): string;
  }
  export function createHash(algorithm: "sha256"): Hash;
}
