/**
 * The noisy neighbour: what B waits for while A is sent 100 times its limit, against B alone, and against B beside as many
 * requests that do nothing (bare Hono in the same workerd): what remains over that is what the refusals cost B.
 *
 * - A may have 60 leases a minute and is sent 100 a second; B is asked 40 times a second; all at instants of their own.
 * - The three ways take turns, in short slices. Both loads leave from threads of their own.
 * - A slice in which B's requests themselves left late had other work beside it on this machine. It says nothing of the
 *   control plane and is left out; how many were is told. Where all were, all count.
 * - A quantile is taken over all requests of a way that count, some thousands; `min – max` is that of its slices.
 */
import { apiAt } from "../../cli/api.ts";
import type { Deployment } from "../support/deployment.ts";
import { type OpenLoad, type OpenResult, quantile, sendApart } from "../support/open-load.ts";
import { type Measure, summarize } from "../support/results.ts";
import { BENCH_MODEL, makeTenant } from "../support/tenants.ts";

const SLICES = Number(process.env["BENCH_SLICES"] ?? 12);
const SECONDS = 6;
/** What an idle machine keeps to, with all three loads: 0.9 to 1.5 ms were seen. */
const LATE_MS = 2;
const B_PER_SECOND = 40;
const NOISE_PER_SECOND = 100;
const QUANTILES = { p50: 0.5, p99: 0.99, "p99.9": 0.999 } as const;

export async function noisyNeighbour({ url, floorUrl, operatorKey }: Deployment): Promise<Measure[]> {
  const operator = apiAt(url, operatorKey);
  const a = await makeTenant(operator, "noisy", { requests_per_minute: 60 });
  const b = await makeTenant(operator, "quiet", {});
  const leases = (key: string, perSecond: number, user?: string): OpenLoad => ({
    url, perSecond, seconds: SECONDS, host: "leasehold.test", path: "/v1/leases", headers: { authorization: `Bearer ${key}` }, body: JSON.stringify({ model: BENCH_MODEL, tokens: 100, ...(user && { user }) }),
  });
  const asked = leases(b.key, B_PER_SECOND, "u");
  const refused = leases(a.key, NOISE_PER_SECOND);
  const nothing: OpenLoad = { ...refused, url: floorUrl ?? url, host: "floor.test", path: "/bare", headers: {} };
  const ways: Record<string, OpenLoad | null> = { alone: null, "beside 100 requests a second that do nothing": nothing, "with A at 100 × its limit": refused };

  await Promise.all([askB({ ...asked, seconds: 5 }), sendApart({ ...refused, seconds: 5 })]); // warm, and A's minute is used up
  const slices = new Map<string, OpenResult[]>(Object.keys(ways).map((name) => [name, []]));
  for (let slice = 0; slice < SLICES; slice++) {
    for (const [name, noise] of Object.entries(ways)) {
      const [mine] = await Promise.all([askB(asked), noise && sendApart(noise)]);
      slices.get(name)?.push(mine);
      console.error(`B ${name}: ${Object.entries(QUANTILES).map(([label, share]) => `${label} ${quantile(mine.times, share).toFixed(1)}`).join(", ")} ms of ${mine.times.length}; sent late by ${quantile(mine.late, 0.99).toFixed(1)} ms (p99)`);
    }
  }

  const counted = new Map([...slices].map(([name, all]) => [name, undisturbed(all)]));
  const alone = (share: number) => pooled("", counted.get("alone") ?? [], share).value;
  return [...slices].flatMap(([name, all]) => {
    const fit = counted.get(name) ?? [];
    return [
      ...Object.entries(QUANTILES).map(([label, share]) => {
        const measure = pooled(`B's ${label} ${name}`, fit, share);
        return name === "alone" ? measure : { ...measure, peer: "B alone", ratio: Number((measure.value / alone(share)).toPrecision(3)) };
      }),
      summarize(`slices that count, of ${all.length}, ${name}`, "slices", [fit.length]),
    ];
  });
}

function undisturbed(slices: readonly OpenResult[]): readonly OpenResult[] {
  const fit = slices.filter(({ late }) => quantile(late, 0.99) <= LATE_MS);
  return fit.length > 0 ? fit : slices;
}

async function askB(load: OpenLoad): Promise<OpenResult> {
  const result = await sendApart(load);
  if (Object.keys(result.byStatus).some((status) => status !== "201")) throw new Error(`B expected leases only, got ${JSON.stringify(result.byStatus)}`);
  return result;
}

/** The quantile over all slices together; least and most of the slices' own. */
function pooled(measure: string, slices: readonly OpenResult[], share: number): Measure {
  const each = summarize(measure, "ms", slices.map(({ times }) => quantile(times, share)));
  const value = Number(quantile(slices.flatMap(({ times }) => times).sort((x, y) => x - y), share).toPrecision(4));
  return { ...each, value, median: value };
}
