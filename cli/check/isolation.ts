/** A lease of one tenant and a blob of the other. */
import { createHash } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { leaseGranted } from "../../schema/contract/leases.ts";
import { type Api, apiAt } from "../api.ts";
import { OCR_MODEL } from "../demo/ocr-model.ts";
import { publishModel } from "../publish.ts";
import type { Bench } from "./bench.ts";
import { type Report, expectSame } from "./report.ts";

const ONLY_GLOBEX_HAS_IT = "Only Globex has this file.\n";

export async function checkIsolation({ plane, acme, globex }: Bench, report: Report): Promise<void> {
  const owner = apiAt(plane.url, globex.keys.admin);
  const digest = sha256Of(ONLY_GLOBEX_HAS_IT);

  await report.check("a lease of acme gets the same 404 for a blob of globex as for one that does not exist", async () => {
    await publishOnlyToGlobex(owner, globex.tenant.id);
    const own = await owner.raw(`/v1/blobs/${digest}`);
    expectSame("globex reads its own blob", [own.status, await own.text()], [200, ONLY_GLOBEX_HAS_IT]);

    const { lease } = await apiAt(plane.url, acme.keys.backend).post("/v1/leases", { model: OCR_MODEL, purpose: "download" }, leaseGranted);
    const stranger = apiAt(plane.url, lease);
    const others = await answerOf(stranger, digest);
    const nobodys = await answerOf(stranger, sha256Of("nobody has this"));
    expectSame("the status", others.status, 404);
    expectSame("the two answers", others, nobodys);
  });
}

async function publishOnlyToGlobex(owner: Api, tenant: string): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "leasehold-check-file-"));
  try {
    const source = join(folder, "own.txt");
    await writeFile(source, ONLY_GLOBEX_HAS_IT);
    await publishModel(owner, tenant, "own", {
      task: "raw",
      usage: { measure: "per-run", tokens: 1 },
      prices: { input_nanos_per_token: 0, output_nanos_per_token: 0 },
      variants: [{ id: "only", files: [{ path: "own.txt", source }] }],
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** All of an answer but what differs between any two: the request's id and the time. */
async function answerOf(api: Api, digest: string) {
  const response = await api.raw(`/v1/blobs/${digest}`);
  const text = await response.text();
  const id = (JSON.parse(text) as { request_id?: string }).request_id ?? "";
  const headers = [...response.headers].filter(([name]) => name !== "date").map(([name, value]) => [name, value.replaceAll(id, "<id>")]);
  return { status: response.status, headers, text: text.replaceAll(id, "<id>") };
}

const sha256Of = (text: string) => createHash("sha256").update(text).digest("hex");
