/**
 * The door to a tenant's records in D1: the tenant object verifies the credential and sends what D1 does not have yet,
 * so that a reader sees what was done before the question. Where D1 is behind or away, the answer is `unavailable`.
 */
import type { TenantId } from "../../schema/contract/ids.ts";
import type { PriceFloor } from "../../schema/contract/prices.ts";
import type { Env } from "../env.ts";
import type { Entered } from "../http/enter.ts";
import { problem, unwrap } from "../http/problem.ts";
import { asVerified } from "./credential.ts";
import { TenantRecords } from "./records.ts";

export async function recordsOf(env: Env, { object, call, tenant }: Entered): Promise<{ records: TenantRecords; tenant: TenantId; today: string; priceFloor: PriceFloor | null }> {
  const { identity, lag, today, priceFloor } = unwrap(await object.records.flush(call));
  if (lag.error !== null) throw problem("unavailable", `The records are behind by ${lag.events} events; none is lost. Try again.`);
  return { records: TenantRecords.for(asVerified(identity), env), tenant, today, priceFloor };
}
