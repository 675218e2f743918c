/** Rows that a tenant's requests write, as the platform bills them: read off the tenant's own metrics before and after. */
import { z } from "zod";
import type { BenchTenant } from "../support/tenants.ts";

export interface RowsEach {
  readonly object: number;
  readonly d1: number;
}

/** What each of `count` requests, which `work` sends, has written once D1 has it all. */
export async function rowsEach(tenant: BenchTenant, count: number, work: () => Promise<unknown>): Promise<RowsEach> {
  const before = await rowsOf(tenant);
  await work();
  const after = await rowsOf(tenant);
  return { object: (after.object - before.object) / count, d1: (after.d1 - before.d1) / count };
}

async function rowsOf({ admin, id }: BenchTenant): Promise<RowsEach> {
  // Whoever reads the audit has D1 brought up to date first.
  await admin.get(`/v1/tenants/${id}/audit?limit=1`, z.unknown());
  const text = await (await admin.raw(`/v1/tenants/${id}/metrics.prom`)).text();
  const of = (store: string) => {
    const line = text.split("\n").find((one) => one.startsWith("leasehold_rows_written_total{") && one.includes(`store="${store}"`));
    if (line === undefined) throw new Error("the tenant's metrics do not say how many rows it wrote");
    return Number(line.slice(line.lastIndexOf(" ") + 1));
  };
  return { object: of("object"), d1: of("d1") };
}
