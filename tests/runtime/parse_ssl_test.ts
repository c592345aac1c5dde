import assert from "node:assert/strict";
import {
  parseCertificate,
  parseCertificateNames,
  parseCrtList,
  parseCrtLists,
} from "../../lib/runtime/parse_ssl.ts";

Deno.test("show ssl cert lists names, and the one that an open transaction is about", () => {
  const names = new Set(["/c/a.pem", "/c/b.pem"]);
  assert.deepEqual(parseCertificateNames("# filename\n/c/a.pem\n/c/b.pem\n"), { names });
  assert.deepEqual(
    parseCertificateNames("# transaction\n*/c/b.pem\n# filename\n/c/a.pem\n/c/b.pem\n"),
    { names, transaction: "/c/b.pem" },
  );
  assert.deepEqual(parseCertificateNames(""), { names: new Set() });
});

const SHOWN = `Filename: /c/a.pem
Crt filename: /c/a.pem
Option: ocsp-update off
Status: Used
Serial: 3E4F68AF4D8755922B25994B8755F3F834B58ACF
notBefore: Nov 25 11:17:36 2026 GMT
notAfter: Sep  1 11:17:36 2027 GMT
Subject Alternative Name: DNS:one.test, DNS:*.one.test, IP Address:10.0.0.1
Algorithm: EC256
SHA1 FingerPrint: 7C8B6F5C96E89254EAC8103568E28FBC97B6F1CC
Subject: /CN=one.test
Issuer: /CN=ca
Chain Subject: /CN=ca
Chain Issuer: /CN=root
Chain Subject: /CN=root
Chain Issuer: /CN=root
OCSP Response Key: `;

Deno.test("show ssl cert F is read by its keys", () => {
  assert.deepEqual(parseCertificate(SHOWN), {
    status: "Used",
    serial: "3E4F68AF4D8755922B25994B8755F3F834B58ACF",
    notAfter: "2027-09-01T11:17:36.000Z",
    names: ["one.test", "*.one.test", "10.0.0.1"],
    fingerprint: "7C8B6F5C96E89254EAC8103568E28FBC97B6F1CC",
    chain: 2,
  });
});

Deno.test("an empty store has a status alone, and what has none is no certificate", () => {
  assert.deepEqual(
    parseCertificate("Filename: /c/a.pem\nStatus: Empty\nOCSP Response Key: "),
    { status: "Empty", names: [], chain: 0 },
  );
  assert.throws(() => parseCertificate("hello"), SyntaxError);
});

Deno.test("show ssl crt-list lists each spelling once", () => {
  assert.deepEqual(parseCrtLists("/c/crt-list.txt\n/d/crt-list.txt\n/c/crt-list.txt\n"), [
    "/c/crt-list.txt",
    "/d/crt-list.txt",
  ]);
  assert.deepEqual(parseCrtLists(""), []);
});

Deno.test("show ssl crt-list -n L is read with options, filters, colons in paths and NULs", () => {
  const text =
    "# /c/crt-list.txt\n/c/default.pem:1\n/c/a.pem:2 [alpn h2,http/1.1\0 ssl-min-ver TLSv1.2] a.test *.a.test !b.a.test\n" +
    "/c/x:7.pem:3 # hi\n/c/b.pem:10 [alpn h2\0]\n";
  assert.deepEqual(parseCrtList(text), [
    { path: "/c/default.pem", line: 1, options: [], filters: [] },
    {
      path: "/c/a.pem",
      line: 2,
      options: ["alpn", "h2,http/1.1", "ssl-min-ver", "TLSv1.2"],
      filters: ["a.test", "*.a.test", "!b.a.test"],
    },
    { path: "/c/x:7.pem", line: 3, options: [], filters: ["#", "hi"] },
    { path: "/c/b.pem", line: 10, options: ["alpn", "h2"], filters: [] },
  ]);
});
