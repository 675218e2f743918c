/** Free TCP ports on the loopback interface. A port found free may be taken a moment later: starting on it can fail. */
import { createServer } from "node:net";

/** Whether nothing listens on the port, neither by IPv4 nor by IPv6: `localhost` may mean both. */
export async function isFree(port: number): Promise<boolean> {
  return (await canListen(port, "127.0.0.1")) && (await canListen(port, "::1"));
}

/** `preferred` where it is free, else any other. */
export async function freePort(preferred?: number): Promise<number> {
  if (preferred !== undefined && (await isFree(preferred))) return preferred;
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      const port = typeof address === "object" && address ? address.port : 0;
      server.close(() => resolve(port));
    });
  });
}

function canListen(port: number, host: string): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", (error: NodeJS.ErrnoException) => resolve(error.code !== "EADDRINUSE")); // no IPv6 here: nobody listens there
    server.listen({ port, host, exclusive: true }, () => server.close(() => resolve(true)));
  });
}
