import assert from "node:assert/strict";
import fc from "fast-check";
import { domainOfKey, parseDomain, wildcardKey } from "../../lib/names/domain.ts";

const refused = (text: string, why: RegExp) =>
  assert.throws(() => parseDomain(text), (error: { code: string; message: string }) => {
    assert.equal(error.code, "VALIDATION");
    assert.match(error.message, why);
    return true;
  }, JSON.stringify(text));

/** What may stand in the map, written down apart from the code under test. */
const NAME = /^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

const NOT_A_LABEL = /is not a label/;

for (
  const [what, text] of [
    ["a newline", "example.com\nevil.com"],
    ["a trailing newline", "example.com\n"],
    ["a carriage return", "example.com\r"],
    ["a NUL", "example.com\0"],
    ["a semicolon", "example.com;show"],
    ["a backslash", "exa\\mple.com"],
    ["a space", "exa mple.com"],
    ["a leading space", " example.com"],
    ["a tab", "exa\tmple.com"],
    ["a quote", 'exa"mple.com'],
    ["a slash", "example.com/path"],
    ["a port", "example.com:80"],
    ["an underscore", "_dmarc.example.com"],
    ["a hash", "#example.com"],
    ["percent-encoding", "ex%61mple.com"],
    ["a hyphen at a label's start", "-example.com"],
    ["a hyphen at a label's end", "example-.com"],
    ["a hyphen at the last label's end", "example.com-"],
    ["a label of 64 characters", `${"a".repeat(64)}.com`],
    ["a wildcard further in", "www.*.com"],
    ["two wildcards", "*.*.example.com"],
    ["a partial wildcard", "w*.example.com"],
    ["square brackets", "[::1].com"],
    ["an IPv6 address", "2001:db8::1.com"],
  ]
) {
  Deno.test(`parseDomain refuses a name with ${what}`, () => refused(text, NOT_A_LABEL));
}

for (
  const [what, text, why] of [
    ["of no characters", "", /it is empty/],
    ["of a wildcard alone", "*.", /it is empty/],
    ["of a dot alone", ".", /it is empty/],
    ["of one label", "localhost", /at least two labels/],
    ["of a wildcard and one label", "*.com", /at least two labels/],
    ["with an inner empty label", "example..com", /an empty label/],
    ["that begins with a dot", ".example.com", /an empty label/],
    ["with two trailing dots", "example.com..", /an empty label/],
    ["of letters that no domain may have", "☃.example.com", /no domain name may have/],
    ["with a full-width dot", "example．com", /no domain name may have/],
    ["with a soft hyphen", "exam\u00adple.com", /no domain name may have/],
    ["with a zero-width space", "exam\u200bple.com", /no domain name may have/],
    ["with a no-break space", "exam\u00a0ple.com", /no domain name may have/],
    ["with a right-to-left mark", "exam\u200fple.com", /no domain name may have/],
    ["with a lone surrogate", "exam\ud800ple.com", /no domain name may have/],
  ] as const
) {
  Deno.test(`parseDomain refuses a name ${what}`, () => refused(text, why));
}

for (
  const address of [
    "10.0.0.1",
    "300.1.1.1",
    "127.1",
    "0x7f.1",
    "0x7f.0.0.0x1",
    "0177.0.0.1",
    "1.2.3.0x",
    "10.0.0.1.",
    "*.0.0.1",
    "example.1",
    "１２７.０.０.１",
  ]
) {
  Deno.test(`parseDomain refuses ${address}, which reads as an IP address`, () =>
    refused(address, /reads as an IP address/));
}

for (
  const [text, name, key] of [
    ["Example.COM", "example.com", "example.com"],
    ["example.com.", "example.com", "example.com"],
    ["*.Example.com.", "*.example.com", ".example.com"],
    ["münchen.de", "xn--mnchen-3ya.de", "xn--mnchen-3ya.de"],
    ["MÜNCHEN.de", "xn--mnchen-3ya.de", "xn--mnchen-3ya.de"],
    ["mu\u0308nchen.de", "xn--mnchen-3ya.de", "xn--mnchen-3ya.de"],
    ["例え。jp", "xn--r8jz45g.jp", "xn--r8jz45g.jp"],
    ["*.münchen.de", "*.xn--mnchen-3ya.de", ".xn--mnchen-3ya.de"],
    ["ｅｘａｍｐｌｅ.com", "example.com", "example.com"],
    ["XN--MNCHEN-3YA.de", "xn--mnchen-3ya.de", "xn--mnchen-3ya.de"],
    ["1.2.3.4.com", "1.2.3.4.com", "1.2.3.4.com"],
    ["a--b.co", "a--b.co", "a--b.co"],
    [`${"a".repeat(63)}.com`, `${"a".repeat(63)}.com`, `${"a".repeat(63)}.com`],
  ]
) {
  Deno.test(`parseDomain brings ${text} to ${name}`, () => {
    const domain = parseDomain(text);
    assert.deepEqual(domain, { name, wildcard: name.startsWith("*"), key });
    assert.equal(domainOfKey(domain.key), domain.name);
  });
}

Deno.test("parseDomain takes 253 characters and refuses 254", () => {
  const of = (length: number) => `${"a.".repeat(length / 2 - 1)}${length % 2 ? "aaa" : "aa"}`;
  assert.equal(of(253).length, 253);
  assert.equal(parseDomain(of(253)).name, of(253));
  assert.equal(parseDomain(`${of(253)}.`).name, of(253));
  assert.equal(of(254).length, 254);
  refused(of(254), /longer than 253/);
});

Deno.test("parseDomain cuts what it quotes of an endless name", () => {
  assert.throws(() => parseDomain("a b".repeat(100_000)), ({ message }) => message.length < 1_000);
});

Deno.test("wildcardKey is the key of the wildcard beside a domain", () => {
  assert.equal(wildcardKey(parseDomain("example.com").key), parseDomain("*.example.com").key);
});

/** Names, near misses and noise: mostly of characters that matter to a name, to HAProxy or to UTS 46. */
const text = fc.oneof(
  fc.domain(),
  fc.string({ unit: "binary" }),
  fc.string({
    unit: fc.constantFrom(
      ..."abzAZ09-._*:%\\;\n\r\t \"'#@/[]üß。．ｅ１₁①\u0308\u00ad\u200b".split(""),
    ),
  }),
  fc.array(fc.string({ unit: fc.constantFrom(..."abc019-xnüß日本"), maxLength: 64 }), {
    maxLength: 5,
  })
    .map((labels) => labels.join(".")),
);

Deno.test("whatever parseDomain accepts is a strict host name, and stays as it is when parsed again", () => {
  let accepted = 0;
  fc.assert(
    fc.property(fc.boolean(), text, (wildcard, rest) => {
      const typed = wildcard ? `*.${rest}` : rest;
      let domain;
      try {
        domain = parseDomain(typed);
      } catch (error) {
        assert.equal((error as { code: string }).code, "VALIDATION");
        return;
      }
      accepted++;
      const { name, key } = domain;
      assert.match(name.replace(/^\*\./, ""), NAME);
      assert.ok(name.replace(/^\*\./, "").length <= 253);
      assert.equal(key, domain.wildcard ? name.slice(1) : name);
      assert.deepEqual(parseDomain(name), domain);
      assert.deepEqual(parseDomain(`${name.toUpperCase()}.`), domain);
    }),
    { numRuns: 5_000 },
  );
  assert.ok(accepted > 500, `only ${accepted} were names at all`);
});
