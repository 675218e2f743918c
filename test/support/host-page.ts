/** A tenant's page that is nothing but the widget's tag, on an origin of its own. */
import { type Server, createServer } from "node:http";
import { freePort } from "../../cli/control-plane/ports.ts";

export interface HostPage extends AsyncDisposable {
  readonly origin: string;
  /** The page with a widget of these settings. `coep`: it is cross-origin isolated by this policy. */
  url(settings: { readonly key: string; readonly model: string; readonly user?: string; readonly view?: "chat"; readonly theme?: "light" | "dark"; readonly coep?: "require-corp" }): string;
}

export async function hostPage(operatorUrl: string): Promise<HostPage> {
  const port = await freePort();
  const origin = `http://127.0.0.1:${port}`;
  const server = createServer((request, response) => {
    const { coep, ...settings } = Object.fromEntries(new URL(request.url ?? "/", origin).searchParams);
    const data = Object.entries(settings).map(([name, value]) => `data-${name}="${value}"`).join(" ");
    response.writeHead(200, { "content-type": "text/html; charset=utf-8", ...(coep && { "cross-origin-embedder-policy": coep, "cross-origin-opener-policy": "same-origin" }) });
    response.end(`<!doctype html><title>Host</title><body><script src="${operatorUrl}/widget.js" ${data} data-backend="wasm"></script>`);
  });
  await listen(server, port);
  return {
    origin,
    url: (settings) => `${origin}/?${new URLSearchParams(settings)}`,
    [Symbol.asyncDispose]: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", () => resolve());
  });
}
