import assert from "node:assert/strict";
import fc from "fast-check";
import { canonicalIp, isPort, parseServerIp } from "../../lib/names/address.ts";

for (
  const [what, text, why] of [
    ["a number beyond 255", "300.1.1.1", /not an IPv4 or IPv6 address/],
    ["three parts", "10.0.1", /not an IPv4/],
    ["two parts", "127.1", /not an IPv4/],
    ["a single number", "2130706433", /not an IPv4/],
    ["hexadecimal parts", "0x7f.0.0.1", /not an IPv4/],
    ["leading zeros", "010.0.0.1", /not an IPv4/],
    ["a host name", "backend.example.com", /not an IPv4/],
    ["localhost", "localhost", /not an IPv4/],
    ["no characters", "", /not an IPv4/],
    ["a port", "10.0.0.1:80", /not an IPv4/],
    ["a network", "10.0.0.0/8", /not an IPv4/],
    ["brackets", "[::1]", /not an IPv4/],
    ["a zone", "fe80::1%eth0", /not an IPv4/],
    ["a zone on a global address", "2001:db8::1%1", /not an IPv4/],
    ["a newline", "10.0.0.1\n", /not an IPv4/],
    ["a blank", " 10.0.0.1", /not an IPv4/],
    ["full-width digits", "１０.0.0.1", /not an IPv4/],
    ["a prefix of HAProxy's own", "ipv4@10.0.0.1", /not an IPv4/],
    ["nine groups", "1:2:3:4:5:6:7:8:9", /not an IPv4/],
    ["two gaps", "1::2::3", /not an IPv4/],
    ["a group of five digits", "2001:db8::12345", /not an IPv4/],
    ["a v4 tail beyond 255", "::ffff:256.0.0.1", /not an IPv4/],
    ["the unspecified v4 address", "0.0.0.0", /unspecified/],
    ["this network", "0.1.2.3", /unspecified/],
    ["the unspecified v6 address", "::", /unspecified/],
    ["the unspecified v6 address in full", "0:0:0:0:0:0:0:0", /unspecified/],
    ["the unspecified v4 address, mapped", "::ffff:0.0.0.0", /unspecified/],
    ["the unspecified v4 address, mapped in hexadecimal", "::ffff:0:0", /unspecified/],
    ["v4 link-local", "169.254.1.1", /link-local/],
    ["v6 link-local", "fe80::1", /link-local/],
    ["v6 link-local, its last block", "FEBF::1", /link-local/],
    ["v4 link-local, mapped", "::ffff:a9fe:101", /link-local/],
    ["v4 multicast", "224.0.0.1", /multicast/],
    ["the last v4 multicast", "239.255.255.255", /multicast/],
    ["v6 multicast", "ff02::1", /multicast/],
    ["v4 multicast, mapped", "::FFFF:224.0.0.1", /multicast/],
    ["broadcast", "255.255.255.255", /broadcast/],
    ["broadcast, mapped", "::ffff:ffff:ffff", /broadcast/],
  ] as const
) {
  Deno.test(`parseServerIp refuses ${what}: ${JSON.stringify(text)}`, () =>
    assert.throws(() => parseServerIp(text), (error: { code: string; message: string }) => {
      assert.equal(error.code, "VALIDATION");
      assert.match(error.message, why);
      assert.ok(error.message.includes(JSON.stringify(text)));
      return true;
    }));
}

for (
  const [text, ip] of [
    ["10.0.0.1", "10.0.0.1"],
    ["127.0.0.1", "127.0.0.1"],
    ["100.64.0.1", "100.64.0.1"],
    ["240.0.0.1", "240.0.0.1"],
    ["::1", "::1"],
    ["2001:DB8:0:0:0:0:0:1", "2001:db8::1"],
    ["2001:0db8::0001", "2001:db8::1"],
    ["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
    ["2001:0:0:1:0:0:0:1", "2001:0:0:1::1"],
    ["fd00::1", "fd00::1"],
    ["fec0::1", "fec0::1"],
    ["fe8::1", "fe8::1"],
    ["ff::1", "ff::1"],
    ["::ffff:10.0.0.1", "10.0.0.1"],
    ["::FFFF:10.0.0.1", "10.0.0.1"],
    ["::ffff:a00:1", "10.0.0.1"],
    ["::ffff:0a00:0001", "10.0.0.1"],
    ["0:0:0:0:0:ffff:10.0.0.1", "10.0.0.1"],
    ["0000:0000:0000:0000:0000:FFFF:0A00:0001", "10.0.0.1"],
    ["::ffff:0:10.0.0.1", "::ffff:0:a00:1"],
    ["64:ff9b::10.0.0.1", "64:ff9b::a00:1"],
  ]
) {
  Deno.test(`parseServerIp brings ${text} to ${ip}`, () => assert.equal(parseServerIp(text), ip));
}

Deno.test("canonicalIp is the same for every spelling of an address, and for its own answer", () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.ipV4(), fc.ipV6(), fc.ipV4().map((ip) => `::ffff:${ip}`)),
      (address) => {
        const ip = canonicalIp(address);
        assert.ok(ip !== undefined);
        assert.equal(canonicalIp(ip), ip);
        assert.equal(canonicalIp(address.toUpperCase()), ip);
      },
    ),
    { numRuns: 2_000 },
  );
});

Deno.test("canonicalIp refuses noise without throwing", () => {
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom(..."0123456789abcdefxg:.%[]/ \n") }),
      (noise) => {
        const ip = canonicalIp(noise);
        if (ip !== undefined) assert.match(ip, /^[0-9a-f:.]+$/);
      },
    ),
    { numRuns: 5_000 },
  );
});

Deno.test("isPort takes the integers 1 to 65535 and nothing else", () => {
  for (const port of [1, 80, 65535]) assert.ok(isPort(port), String(port));
  for (const port of [0, 65536, -1, 80.5, NaN, Infinity, "80", "80x", null, undefined, 80n]) {
    assert.equal(isPort(port), false, String(port));
  }
});
