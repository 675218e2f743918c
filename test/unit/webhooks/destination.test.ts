import { describe, expect, test } from "vitest";
import { judgeDestination } from "../../../worker/webhooks/destination.ts";

const ok = (url: string, local = false) => judgeDestination(url, { local }).ok;

describe("addresses of the public internet", () => {
  test.each([
    "https://example.com/hook", "https://hooks.example.co.uk:8443/a?b=c", "https://8.8.8.8/x", "https://[2606:4700::1111]/x", "https://EXAMPLE.com", "https://xn--bcher-kva.de/",
    "https://example.com./x", "https://172.15.255.255/", "https://172.32.0.1/", "https://192.167.1.1/", "https://11.0.0.1/", "https://localhost.example.com/", "https://internal.example.com/", "https://mylocal/".replace("mylocal", "my.localpages.dev"),
  ])("%s", (url) => expect(judgeDestination(url)).toMatchObject({ ok: true }));
});

describe("private, loopback, link-local and metadata addresses, in any spelling", () => {
  test.each([
    // loopback
    "https://127.0.0.1/", "https://127.1/", "https://127.0.1/", "https://2130706433/", "https://0x7f000001/", "https://0x7f.1/", "https://0177.0.0.1/", "https://017700000001/", "https://127.0.0.1./", "https://127.255.255.254/",
    "https://localhost/", "https://localhost./", "https://localhost../", "https://169.254.169.254../", "https://metadata.google.internal../", "https://LOCALHOST/", "https://app.localhost/", "https://１２７.0.0.1/", "https://%31%32%37.0.0.1/", "https://127。0。0。1/", "https://ⓛocalhost/",
    // unspecified
    "https://0.0.0.0/", "https://0/", "https://[::]/",
    // private
    "https://10.0.0.1/", "https://10.1/", "https://0xa.0.0.1/", "https://012.0.0.1/", "https://167772161/", "https://172.16.0.1/", "https://172.31.255.255/", "https://192.168.0.1/", "https://192.168.257/", "https://0xc0a80001/", "https://3232235521/", "https://100.64.0.1/", "https://198.18.0.1/",
    // link-local and metadata
    "https://169.254.169.254/latest/meta-data", "https://2852039166/", "https://0xa9fea9fe/", "https://0251.0376.0251.0376/", "https://169.254.43518/", "https://metadata.google.internal/", "https://metadata/", "https://instance-data/", "https://100.100.100.200/",
    // documentation, multicast, reserved
    "https://192.0.2.1/", "https://198.51.100.1/", "https://203.0.113.1/", "https://192.0.0.170/", "https://224.0.0.1/", "https://255.255.255.255/", "https://240.0.0.1/", "https://192.88.99.1/",
    // IPv6
    "https://[::1]/", "https://[0:0:0:0:0:0:0:1]/", "https://[::ffff:127.0.0.1]/", "https://[::ffff:7f00:1]/", "https://[::127.0.0.1]/", "https://[0:0:0:0:0:ffff:a9fe:a9fe]/", "https://[64:ff9b::a9fe:a9fe]/", "https://[64:ff9b::169.254.169.254]/",
    "https://[fe80::1]/", "https://[fc00::1]/", "https://[fd00:ec2::254]/", "https://[fec0::1]/", "https://[ff02::1]/", "https://[2001:db8::1]/", "https://[2002:7f00:1::]/", "https://[2001::1]/", "https://[2001:10::1]/", "https://[3fff::1]/", "https://[100::1]/",
    // names that networks keep for themselves
    "https://printer.local/", "https://db.internal/", "https://wiki.corp/", "https://router.lan/", "https://nas.home.arpa/", "https://x.intranet/", "https://intranet/", "https://foo.test/", "https://kubernetes.default.svc/", "https://db.service.consul/", "https://fritz.box/", "https://[2620:4f:8000::1]/", "https://x.onion/", "https://x.invalid/", "https://1.0.0.127.in-addr.arpa/", "https://host.localdomain./",
  ])("%s", (url) => expect(judgeDestination(url)).toEqual({ ok: false, reason: "must be on the public internet" }));
});

describe("other addresses that nothing is sent to", () => {
  test.each([
    ["http://example.com/", "must be https"],
    ["ftp://example.com/", "must be https"],
    ["file:///etc/passwd", "must be https"],
    ["javascript:alert(1)", "must be https"],
    ["data:text/plain,x", "must be https"],
    ["https://user@example.com/", "must not hold a user or a password"],
    ["https://:secret@example.com/", "must not hold a user or a password"],
    ["https://example.com/#x", "must not hold a fragment"],
    ["example.com", "is no URL"],
    ["", "is no URL"],
    ["https://", "is no URL"],
    ["https://256.256.256.256/", "is no URL"],
    ["https://[::1", "is no URL"],
    ["//example.com/", "is no URL"],
    ["http://localhost:9000/", "must be https"],
  ])("%s %s", (url, reason) => expect(judgeDestination(url)).toEqual({ ok: false, reason }));
});

describe("for development", () => {
  test.each(["http://localhost:9000/hook", "http://127.0.0.1:9000/hook", "http://127.1/hook", "https://example.com/"])("%s is allowed", (url) => expect(ok(url, true)).toBe(true));
  test.each(["http://example.com/", "http://10.0.0.1/", "https://localhost/", "http://localhost.evil.example/", "http://[::1]/", "http://169.254.169.254/", "http://0.0.0.0/"])("%s is not", (url) => expect(ok(url, true)).toBe(false));
});

test("an IPv4 address is judged by its network, at both ends of each", () => {
  const edges: [string, boolean][] = [
    ["9.255.255.255", true], ["10.0.0.0", false], ["10.255.255.255", false], ["11.0.0.0", true],
    ["100.63.255.255", true], ["100.64.0.0", false], ["100.127.255.255", false], ["100.128.0.0", true],
    ["169.253.255.255", true], ["169.254.0.0", false], ["169.254.255.255", false], ["169.255.0.0", true],
    ["172.15.255.255", true], ["172.16.0.0", false], ["172.31.255.255", false], ["172.32.0.0", true],
    ["198.17.255.255", true], ["198.18.0.0", false], ["198.19.255.255", false], ["198.20.0.0", true],
    ["223.255.255.255", true], ["224.0.0.0", false], ["239.255.255.255", false], ["240.0.0.0", false],
  ];
  for (const [address, isPublic] of edges) expect(ok(`https://${address}/`), address).toBe(isPublic);
});
