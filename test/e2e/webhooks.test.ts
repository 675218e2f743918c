/** Webhooks over the network: `npm run dev` on one side, a receiver on localhost on the other. */
import { type Server, createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Webhook } from "standardwebhooks";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { delivery, webhookCreate, webhookCreated } from "../../schema/contract/webhooks.ts";
import { page } from "../../schema/contract/records.ts";
import { keyCreate, keyCreated, tenant, tenantCreate } from "../../schema/contract/tenants.ts";
import { type Api, apiAt } from "../../cli/api.ts";
import { eventually } from "../../cli/check/report.ts";
import { type DevProcess, startDev } from "../support/dev-process.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

interface Hit {
  readonly path: string;
  readonly headers: Record<string, string>;
  readonly body: string;
}

const folder = temporaryFolder();
const hits: Hit[] = [];
let answers: { status: number; headers?: Record<string, string> }[] = [];
let receiver: Server;
let base: string;
let dev: DevProcess;
let api: Api;
let count = 0;

beforeAll(async () => {
  receiver = createServer((request, response) => {
    let body = "";
    request.setEncoding("utf8").on("data", (text: string) => (body += text));
    request.on("end", () => {
      hits.push({ path: request.url ?? "", headers: request.headers as Record<string, string>, body });
      const { status, headers } = answers.shift() ?? { status: 200 };
      response.writeHead(status, headers).end();
    });
  });
  await new Promise<void>((resolve) => receiver.listen(0, "127.0.0.1", resolve));
  base = `http://localhost:${(receiver.address() as AddressInfo).port}`;
  dev = startDev("--state", folder.path);
  const { url, operator_key } = await dev.ready;
  api = apiAt(url, operator_key);
});

afterAll(async () => {
  receiver.close();
  dev.child.kill("SIGTERM");
  await dev.ended;
});

beforeEach(() => {
  hits.length = 0;
  answers = [];
});

async function tenantWithHook(path: string) {
  const id = `hooked-${count++}`;
  await api.post("/v1/tenants", tenantCreate.parse({ id, name: id }), tenant);
  const hook = await api.post(`/v1/tenants/${id}/webhooks`, webhookCreate.parse({ url: `${base}${path}`, events: ["key.created"] }), webhookCreated);
  const makeKey = () => api.post(`/v1/tenants/${id}/keys`, keyCreate.parse({ type: "secret", name: "made" }), keyCreated);
  const log = () => api.get(`/v1/tenants/${id}/webhooks/${hook.id}/deliveries`, page(delivery));
  return { hook, makeKey, log };
}

test("a message arrives, signed, and once", async () => {
  const { hook, makeKey, log } = await tenantWithHook("/hook");
  const key = await makeKey();
  expect(await eventually(() => hits.length, (n) => n > 0)).toBe(1);
  const [hit] = hits;
  expect(new Webhook(hook.secret).verify(hit?.body ?? "", hit?.headers ?? {})).toMatchObject({ type: "key.created", data: { key_id: key.id } });
  const delivered = await eventually(log, ({ data }) => data[0]?.state === "delivered");
  expect(delivered.data).toHaveLength(1);
});

test("a message that is refused comes again", async () => {
  answers = [{ status: 500 }];
  const { makeKey, log } = await tenantWithHook("/again");
  await makeKey();
  const delivered = await eventually(log, ({ data }) => data[0]?.state === "delivered");
  expect(delivered.data[0]?.attempts.map(({ status }) => status)).toEqual([500, 200]);
  expect(new Set(hits.map((hit) => hit.headers["webhook-id"])).size).toBe(1);
});

test("a redirect is not followed", async () => {
  answers = [{ status: 307, headers: { location: `${base}/elsewhere` } }];
  const { makeKey, log } = await tenantWithHook("/redirect");
  await makeKey();
  const tried = await eventually(log, ({ data }) => (data[0]?.attempts.length ?? 0) > 0);
  expect(tried.data[0]).toMatchObject({ state: "pending", attempts: [{ status: 307, error: "redirects are not followed" }] });
  expect(hits.map((hit) => hit.path)).not.toContain("/elsewhere");
});
