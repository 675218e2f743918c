/** Offline leases in the real IndexedDB of a Chromium, shared by two tabs. */
import { expect, it } from "vitest";
import { OfflineBook } from "../../../client/sdk/offline-book.ts";
import type { UsageReport } from "../../../schema/contract/leases.ts";
import { LeaseholdError } from "../../../client/errors.ts";
import { granted, settled } from "../../unit/sdk/examples.ts";

const report = (input_tokens: number): UsageReport => ({ seq: 0, request_id: "req_1" as UsageReport["request_id"], input_tokens, output_tokens: 0, outcome: "ok", latency_ms: 5, backend: "wasm", cache: "hit", final: true });

it("a run that another tab's end of the lease overtakes is reported before it, one that comes after its acknowledgement is told; what the lease was for is needed no longer", async () => {
  const tenant = `o${Date.now().toString(36)}`;
  const [one, another] = [new OfflineBook(tenant), new OfflineBook(tenant)];
  const key = await crypto.subtle.generateKey({ name: "AES-GCM", length: 256 }, false, ["decrypt"]);
  await one.keep({ ...granted({ calls: 9 }), expires_at: new Date(Date.now() + 600_000).toISOString() }, key);
  expect(await another.manifests()).toEqual(["a".repeat(64)]);

  const taken = await one.take("ocr", 50);
  await another.end("ocr");
  expect(await one.manifests()).toEqual([]);
  await one.enter(taken?.lease_id ?? "", 50, report(30));
  const sent: [tokens: number, final: boolean][] = [];
  const refusals = await another.send(async (_, { input_tokens, final }) => {
    sent.push([input_tokens, final]);
    return settled(input_tokens);
  });
  expect(refusals).toEqual([]);
  expect(sent).toEqual([[30, false], [0, true]]);

  // One that is over later still: the end is acknowledged, and there is nothing to enter it in.
  await one.enter(taken?.lease_id ?? "", 50, report(0));
  await expect(one.enter(taken?.lease_id ?? "", 50, report(30))).rejects.toThrow(new LeaseholdError("lease-settled", "The offline lease had ended before this call did: what it used can't be reported."));
  for (const book of [one, another]) book.close();
});
