/**
 * The whole demo: the control plane, two tenants with their model, two tenant sites.
 *
 * - Reuses what the state folder holds. `stop` ends all of it.
 * - Says what it is doing through `onStep`; a step that reports progress says how far it is.
 */
import { type ControlPlane, startControlPlane } from "../control-plane/start.ts";
import { apiAt } from "../api.ts";
import { type TenantKeys, createTenant, publishChat, publishOcr, tenantKeysFor } from "./provision.ts";
import { type Site, openSite } from "./site-server.ts";
import { type DemoTenant, TENANTS } from "./tenants.ts";

export interface DemoOptions {
  readonly stateDir: string;
  readonly port?: number;
  /** Whether any free ports do, instead of the usual ones where they are free. */
  readonly anyPorts?: boolean;
  /** A folder with a chat model for the first tenant. */
  readonly chatFolder?: string;
  readonly log: (text: string) => void;
  readonly onStep: (step: string, progress?: string) => void;
  readonly signal: AbortSignal;
}

export interface RunningTenant {
  readonly tenant: DemoTenant;
  readonly keys: TenantKeys;
  readonly site: Site;
}

export interface Demo {
  readonly plane: ControlPlane;
  readonly tenants: readonly RunningTenant[];
  stop(): Promise<void>;
}

export async function startDemo({ stateDir, port, anyPorts = false, chatFolder, log, onStep, signal }: DemoOptions): Promise<Demo> {
  const started: { stop(): Promise<void> }[] = [];
  const stop = async () => {
    for (const part of started.splice(0).toReversed()) await part.stop();
  };
  try {
    onStep("Building the client and starting the control plane");
    const plane = await startControlPlane({ stateDir, port: port ?? (anyPorts ? "any" : undefined), log, signal });
    started.push(plane);
    const operator = apiAt(plane.url, plane.operatorKey);

    const tenants: RunningTenant[] = [];
    for (const tenant of TENANTS) {
      signal.throwIfAborted();
      const { name } = tenant.create;
      onStep(`Provisioning ${name}`);
      await createTenant(operator, tenant);
      const site = await openSite(tenant.id, anyPorts ? undefined : tenant.port);
      started.push(site);
      const keys = await tenantKeysFor(operator, tenant, site.url, plane.stateDir);
      site.fillIn({ operatorUrl: plane.url, publishableKey: keys.publishable.key, user: tenant.user });

      const publishing = (step: string) => {
        onStep(step);
        return { signal, onProgress: (sent: number, total: number) => onStep(step, `${megabytes(sent)} of ${megabytes(total)} MB`) };
      };
      await publishOcr(plane.url, tenant, keys, publishing(`Publishing the OCR model for ${name}`));
      if (chatFolder !== undefined && tenant === TENANTS[0]) await publishChat(plane.url, tenant, keys, chatFolder, publishing(`Publishing the chat model for ${name}`));
      tenants.push({ tenant, keys, site });
    }
    return { plane, tenants, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

const megabytes = (bytes: number) => (bytes / 1e6).toFixed(1);
