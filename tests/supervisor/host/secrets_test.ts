import assert from "node:assert/strict";
import { readSettings } from "../../../lib/config.ts";
import { roomSettings } from "../../../lib/supervisor/host/acme_room.ts";
import { readSecret } from "../../../lib/supervisor/host/secrets.ts";
import { makeFolder } from "./fixtures.ts";

const CA = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
const SECRET = "s3cret-of-somebody";

Deno.test("readSecret: a value is itself, a file is read anew each time without the end of its line", async () => {
  assert.equal(await readSecret({ variable: "CF_Token", value: SECRET }), SECRET);
  await using folder = await makeFolder();
  const file = await folder.file("token", `${SECRET}\n`);
  for (const mode of [0o600, 0o400]) {
    await Deno.chmod(file, mode);
    assert.equal(await readSecret({ variable: "CF_Token_FILE", file }), SECRET);
  }
  await Deno.chmod(file, 0o600);
  for (const [text, value] of [["next", "next"], ["next\r\n", "next"], ["a+/=:~\n", "a+/=:~"]]) {
    await Deno.writeTextFile(file, text);
    assert.equal(await readSecret({ variable: "CF_Token_FILE", file }), value);
  }
});

Deno.test("readSecret answers VALIDATION for a file that can't be used: its name, and never what it holds", async () => {
  await using folder = await makeFolder();
  const file = await folder.file("token", SECRET);
  const refused = async (path: string, problem: RegExp) => {
    await assert.rejects(readSecret({ variable: "CF_Token_FILE", file: path }), (error: Error) => {
      assert.equal((error as { code?: string }).code, "VALIDATION");
      assert.ok(error.message.startsWith(`CF_Token_FILE=${path} can't be used: `), error.message);
      assert.match(error.message, problem);
      assert.doesNotMatch(error.message, /s3cret/);
      return true;
    });
  };
  await refused(`${folder.path}/absent`, /there is no such file/);
  await refused(folder.path, /it is not a file/);
  for (const mode of [0o640, 0o604, 0o620, 0o644]) {
    await Deno.chmod(file, mode);
    await refused(file, new RegExp(`chmod 600; it has ${mode.toString(8)}`));
  }
  await Deno.chmod(file, 0o600);
  for (
    const [text, problem] of [
      ["", /it is empty/],
      ["\n", /it is empty/],
      [`${SECRET}\n${SECRET}\n`, /more than one line/],
      [`${SECRET} `, /blanks/],
      [`${SECRET}\0`, /blanks/],
      [SECRET.repeat(1000), /larger than 8192 bytes/],
    ] as const
  ) {
    await Deno.writeTextFile(file, text);
    await refused(file, problem);
  }
});

Deno.test("roomSettings hands the acme room its part, every secret in clear, and the CA's certificate", async () => {
  await using folder = await makeFolder();
  const token = await folder.file("token", "token\n");
  await Deno.chmod(token, 0o600);
  const env = {
    ACME_CA_FILE: await folder.file("ca.pem", CA),
    ACME_DIRECTORY: "https://localhost:14000/dir",
    ACME_DNS_WAIT: "7",
    ACME_EAB_HMAC_KEY: "hmac",
    ACME_EAB_KID: "kid",
    ACME_EMAIL: "ops@example.test",
    CF_API_URL: "https://localhost:8443/client/v4/",
    CF_Account_ID: "account",
    CF_Token_FILE: token,
    CF_Zone_ID: "zone",
  };
  assert.deepEqual(await roomSettings(readSettings(env).acme), {
    directory: "https://localhost:14000/dir",
    email: "ops@example.test",
    caPem: CA,
    eab: { kid: "kid", hmacKey: "hmac" },
    cloudflare: {
      token: "token",
      accountId: "account",
      zoneId: "zone",
      api: "https://localhost:8443/client/v4",
    },
    dnsWait: 7,
  });
  assert.deepEqual(await roomSettings(readSettings({}).acme), {
    directory: "https://dv.acme-v02.api.pki.goog/directory",
    cloudflare: { api: "https://api.cloudflare.com/client/v4" },
    dnsWait: 120,
  });
  await folder.file("ca.pem", "no PEM");
  await assert.rejects(roomSettings(readSettings(env).acme), {
    code: "VALIDATION",
    message: `ACME_CA_FILE=${folder.path}/ca.pem can't be used: it holds no certificate in PEM.`,
  });
});
