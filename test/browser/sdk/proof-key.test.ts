/** The key that leases are bound to, on the real WebCrypto and IndexedDB of a Chromium. */
import { afterEach, expect, it } from "vitest";
import { bindingOf, openProofKey } from "../../../client/sdk/proof-key.ts";

let tenants = 0;
const freshTenant = () => `k${Date.now().toString(36)}-${++tenants}`;

const generateKey = crypto.subtle.generateKey;
const open = indexedDB.open;
afterEach(() => {
  Object.defineProperty(crypto.subtle, "generateKey", { value: generateKey, configurable: true });
  Object.defineProperty(indexedDB, "open", { value: open, configurable: true });
});

const jktOf = async (tenant: string) => (await openProofKey(tenant)).key?.jkt;

it("is one a tenant, the same for two tabs and for a page that is loaded again, and can't be taken out", async () => {
  const tenant = freshTenant();
  const [one, two] = await Promise.all([openProofKey(tenant), openProofKey(tenant)]);
  expect(one.key?.jkt).toMatch(/^[\w-]{43}$/);
  expect(two.key?.jkt).toBe(one.key?.jkt);
  expect(await jktOf(tenant)).toBe(one.key?.jkt);
  expect(await jktOf(freshTenant())).not.toBe(one.key?.jkt);
  await expect(crypto.subtle.exportKey("jwk", one.key?.privateKey as CryptoKey)).rejects.toThrow(/extractable/);
});

it("is for this page alone where nothing can be kept", async () => {
  Object.defineProperty(indexedDB, "open", { value: () => { throw new DOMException("Storage is refused here.", "SecurityError"); }, configurable: true });
  expect(bindingOf(await openProofKey(freshTenant()))).toMatchObject({ kind: "dpop" });
});

it("is none where the browser makes no such keys, and the binding says why", async () => {
  Object.defineProperty(crypto.subtle, "generateKey", { value: () => Promise.reject(new DOMException("Unrecognized name.", "NotSupportedError")), configurable: true });
  expect(bindingOf(await openProofKey(freshTenant()))).toEqual({ kind: "bearer", reason: expect.stringContaining("Unrecognized name") as string });
});
