/** CIDR matching, against arithmetic done another way. */
import { equal, ok, throws } from "node:assert/strict";
import { BlockList } from "node:net";
import fc from "fast-check";
import { createNetworks } from "../../lib/names/networks.ts";

const ipv4 = fc.ipV4();
const ipv6 = fc.ipV6();

Deno.test("createNetworks agrees with node's BlockList on IPv4", () => {
  fc.assert(fc.property(ipv4, ipv4, fc.integer({ min: 0, max: 32 }), (net, address, prefix) => {
    const blocks = new BlockList();
    blocks.addSubnet(net, prefix);
    equal(createNetworks([`${net}/${prefix}`])(address), blocks.check(address));
  }));
});

Deno.test("createNetworks agrees with node's BlockList on IPv6", () => {
  fc.assert(fc.property(ipv6, ipv6, fc.integer({ min: 0, max: 128 }), (net, address, prefix) => {
    const blocks = new BlockList();
    blocks.addSubnet(net, prefix, "ipv6");
    // Mapped addresses count as IPv4 here, and are the subject of their own tests.
    fc.pre(![net, address].some((ip) => /^(0{0,4}:)+(0:)*ffff:/i.test(ip)));
    equal(createNetworks([`${net}/${prefix}`])(address), blocks.check(address, "ipv6"));
  }));
});

/** Neighbours share a long prefix, which random pairs never do. */
Deno.test("createNetworks: one bit inside the prefix decides, one after it does not", () => {
  fc.assert(
    fc.property(
      fc.bigInt({ min: 0n, max: (1n << 32n) - 1n }),
      fc.integer({ min: 0, max: 32 }),
      fc.integer({ min: 0, max: 31 }),
      (value, prefix, bit) => {
        const text = (n: bigint) => [24n, 16n, 8n, 0n].map((by) => n >> by & 255n).join(".");
        const flipped = value ^ (1n << BigInt(31 - bit));
        equal(createNetworks([`${text(value)}/${prefix}`])(text(flipped)), bit >= prefix);
      },
    ),
  );
});

Deno.test("createNetworks: a mapped address lies where its IPv4 address lies, and the reverse", () => {
  fc.assert(fc.property(ipv4, ipv4, fc.integer({ min: 0, max: 32 }), (net, address, prefix) => {
    const plain = createNetworks([`${net}/${prefix}`]);
    const mapped = createNetworks([`::ffff:${net}/${prefix + 96}`]);
    equal(plain(`::ffff:${address}`), plain(address));
    equal(mapped(address), plain(address));
  }));
});

Deno.test("createNetworks: an IPv4 address lies in no IPv6 block", () => {
  const all = createNetworks(["::/0"]);
  ok(all("2001:db8::1"));
  ok(all("::1"));
  ok(!all("10.0.0.1"));
  ok(!all("::ffff:10.0.0.1"));
  ok(!createNetworks(["0.0.0.0/0"])("::1"));
});

Deno.test("createNetworks: the default block is 100.64.0.0 to 100.127.255.255, and no block holds nothing", () => {
  const tailscale = createNetworks(["100.64.0.0/10"]);
  for (const inside of ["100.64.0.0", "100.127.255.255", "::ffff:100.100.1.2"]) {
    ok(tailscale(inside), inside);
  }
  for (const outside of ["100.63.255.255", "100.128.0.0", "127.0.0.1", "::1", "", "x", "100.64"]) {
    ok(!tailscale(outside), outside);
  }
  ok(!createNetworks([])("127.0.0.1"));
});

Deno.test("createNetworks: a zone is not part of an address", () => {
  ok(createNetworks(["fe80::/10"])("fe80::1%eth0"));
});

Deno.test("createNetworks refuses what is no CIDR block", () => {
  for (
    const bad of [
      "10.0.0.0",
      "10.0.0.0/33",
      "10.0.0/8",
      "300.0.0.0/8",
      "::/129",
      ":::/1",
      "::ffff:10.0.0.0/8",
      "a/8",
      "/8",
      "10.0.0.0/-1",
      "10.0.0.0/8/8",
      "",
    ]
  ) {
    throws(() => createNetworks(["10.0.0.0/8", bad]), { code: "VALIDATION" }, bad);
  }
});
