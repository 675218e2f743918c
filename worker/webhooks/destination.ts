/**
 * Decides whether a webhook may be sent to an address. Pure: no name is looked up.
 *
 * - `https` only; no user or password in the address; no fragment.
 * - No address that is not of the public internet, however it is spelled: the URL parser (WHATWG) turns decimal, octal,
 *   hexadecimal and short IPv4 and every spelling of IPv6 into one form, and that form is judged.
 * - No name without a dot, and none of the names that networks keep for themselves (`.internal`, `.local`, …): the
 *   metadata services of clouds are reached by such names or by link-local addresses.
 * - `local` allows `http://localhost` and `http://127.0.0.1`, of any port, for development.
 *
 * A public name that resolves to a private address passes here. On Cloudflare's network a Worker's `fetch` can't reach
 * private addresses; a deployment elsewhere needs its own egress rules (docs/security.md).
 */

export type Verdict = { readonly ok: true; readonly url: URL } | { readonly ok: false; readonly reason: string };

const no = (reason: string): Verdict => ({ ok: false, reason });

/** Names that networks keep for themselves: RFC 6761, RFC 6762, RFC 8375, ICANN's `.internal`, and common use. */
const PRIVATE_SUFFIXES = ["localhost", "local", "internal", "intranet", "private", "corp", "home", "lan", "localdomain", "home.arpa", "arpa", "test", "invalid", "onion", "svc", "cluster", "consul", "fritz.box"];

/** IPv4 networks that are not of the public internet (IANA special-purpose registry). */
const PRIVATE_IPV4: readonly [string, number][] = [
  ["0.0.0.0", 8], ["10.0.0.0", 8], ["100.64.0.0", 10], ["127.0.0.0", 8], ["169.254.0.0", 16], ["172.16.0.0", 12], ["192.0.0.0", 24], ["192.0.2.0", 24],
  ["192.31.196.0", 24], ["192.52.193.0", 24], ["192.88.99.0", 24], ["192.168.0.0", 16], ["192.175.48.0", 24], ["198.18.0.0", 15], ["198.51.100.0", 24], ["203.0.113.0", 24],
  ["224.0.0.0", 4], ["240.0.0.0", 4],
];

export function judgeDestination(text: string, { local = false } = {}): Verdict {
  if (!URL.canParse(text)) return no("is no URL");
  const url = new URL(text);
  if (url.username !== "" || url.password !== "") return no("must not hold a user or a password");
  if (url.hash !== "") return no("must not hold a fragment");
  if (local && url.protocol === "http:" && (url.hostname === "localhost" || url.hostname === "127.0.0.1")) return { ok: true, url };
  if (url.protocol !== "https:") return no("must be https");
  const reason = hostReason(url.hostname);
  return reason === null ? { ok: true, url } : no(reason);
}

function hostReason(hostname: string): string | null {
  const notPublic = "must be on the public internet";
  if (hostname.startsWith("[")) {
    const groups = ipv6Groups(hostname.slice(1, -1));
    return groups && isPublicIpv6(groups) ? null : notPublic;
  }
  const ipv4 = ipv4Number(hostname);
  if (ipv4 !== null) return isPublicIpv4(ipv4) ? null : notPublic;
  const name = hostname.replace(/\.$/, "");
  if (!name.includes(".") || name.split(".").includes("") || PRIVATE_SUFFIXES.some((suffix) => name === suffix || name.endsWith(`.${suffix}`))) return notPublic;
  return null;
}

/** Of a parsed URL's host, which is dotted decimal where it is an IPv4 address at all. */
function ipv4Number(hostname: string): number | null {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.?$/.exec(hostname);
  if (!match) return null;
  return match.slice(1).reduce((number, part) => number * 256 + Number(part), 0);
}

function isPublicIpv4(address: number): boolean {
  return !PRIVATE_IPV4.some(([network, bits]) => {
    const size = 2 ** (32 - bits);
    return Math.floor(address / size) === Math.floor((ipv4Number(network) as number) / size);
  });
}

/** The eight groups of a serialized IPv6 address; null where it is none. */
function ipv6Groups(text: string): number[] | null {
  const [head = "", tail] = text.split("::");
  const groups = (part: string) => (part === "" ? [] : part.split(":").map((group) => Number.parseInt(group, 16)));
  const [before, after] = [groups(head), groups(tail ?? "")];
  const all = tail === undefined ? before : [...before, ...Array.from({ length: 8 - before.length - after.length }, () => 0), ...after];
  return all.length === 8 && all.every((group) => group >= 0 && group <= 0xffff) ? all : null;
}

/** Global unicast (2000::/3) and nothing that carries an IPv4 address or is set apart within it. */
function isPublicIpv6([first = 0, second = 0, third = 0]: readonly number[]): boolean {
  if (first < 0x2000 || first > 0x3fff) return false; // also ::, ::1, ::ffff:0:0/96, 64:ff9b::/96, fc00::/7, fe80::/10, ff00::/8
  if (first === 0x2001 && second < 0x0200) return false; // 2001::/23: Teredo, benchmarking, ORCHID
  if (first === 0x2001 && second === 0x0db8) return false; // documentation
  if (first === 0x2002) return false; // 6to4
  if (first === 0x2620 && second === 0x004f && third === 0x8000) return false; // 2620:4f:8000::/48: AS112
  return !(first === 0x3fff && second < 0x1000); // 3fff::/20: documentation
}
