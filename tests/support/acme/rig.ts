/**
 * All that a certificate needs, on the loopback: Pebble, its DNS server, and a stand-in for Cloudflare's API.
 *
 *     await using rig = await startAcmeRig();
 *     // rig.env is what an agent beside it has to be told
 *
 * Needs what pebble.ts needs, and --allow-run=openssl.
 */
import { join } from "node:path";
import { type CaProxy, startCaProxy } from "./ca_proxy.ts";
import { type CloudflareStandIn, startCloudflare } from "./cloudflare.ts";
import { type Pebble, type PebbleVersion, startPebble } from "./pebble.ts";

export interface AcmeRigOptions {
  /** @default {"ari"} */
  readonly pebble?: PebbleVersion;
  /** The CA wants External Account Binding. @default {false} */
  readonly eab?: boolean;
  /** How many of a hundred good nonces are refused. @default {0} */
  readonly nonceReject?: number;
  /** How many of a hundred orders find the domain proved already. @default {0} */
  readonly authzReuse?: number;
  /** Seconds that a certificate lives. @default {"as Pebble has it: 90 days; 2.4: 5 years"} */
  readonly validity?: number;
  /** @default {"example.test, example.org.test, other.test"} */
  readonly zones?: readonly string[];
  /** `directory` leads through `ca`, which makes the CA's faults. @default {false} */
  readonly faults?: boolean;
}

export interface AcmeRig
  extends AsyncDisposable, Pick<Pebble, "root" | "setRenewalInfo" | "dnsServer" | "pids" | "logs"> {
  readonly directory: string;
  /** PEM file of the CA that signs the rig's own HTTPS listeners. */
  readonly caFile: string;
  readonly caPem: string;
  readonly cloudflare: CloudflareStandIn;
  /** Between an agent and Pebble, with the option `faults`. */
  readonly ca: CaProxy;
  readonly eab?: { readonly kid: string; readonly hmacKey: string };
  /** Settings of an agent beside the rig. */
  readonly env: Readonly<Record<string, string>>;
}

const EAB = {
  kid: "rig-kid",
  hmacKey: "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W",
};
const ZONES = ["example.test", "example.org.test", "other.test"];

export async function startAcmeRig(options: AcmeRigOptions = {}): Promise<AcmeRig> {
  const { pebble: version = "ari", nonceReject = 0, authzReuse = 0, validity } = options;
  const eab = options.eab ? EAB : undefined;
  const stack = new AsyncDisposableStack();
  try {
    const folder = await Deno.makeTempDir({ prefix: "haproxy-mcp-acme-" });
    stack.defer(() => Deno.remove(folder, { recursive: true }));
    const { caPem, cert, key } = await makeCertificates(folder);
    const client = Deno.createHttpClient({ caCerts: [caPem] });
    stack.defer(() => client.close());
    const pebble = stack.use(
      await startPebble({ version, folder, client, eab, nonceReject, authzReuse, validity }),
    );
    const cloudflare = stack.use(startCloudflare({
      zones: options.zones ?? ZONES,
      token: `rig-token-${crypto.randomUUID()}`,
      dns: pebble,
      cert,
      key,
    }));
    const ca = stack.use(startCaProxy({ target: pebble.directory, caPem, cert, key }));
    const directory = options.faults ? ca.directory : pebble.directory;
    const caFile = join(folder, "ca.pem");
    const owned = stack.move();
    return {
      ...pebble,
      directory,
      caFile,
      caPem,
      cloudflare,
      ca,
      ...eab && { eab },
      env: {
        ACME_CA_FILE: caFile,
        ACME_DIRECTORY: directory,
        ACME_DNS_SERVERS: pebble.dnsServer,
        ACME_DNS_WAIT: "5",
        CF_API_URL: cloudflare.api,
        CF_Token: cloudflare.token,
        ...eab && { ACME_EAB_KID: eab.kid, ACME_EAB_HMAC_KEY: eab.hmacKey },
      },
      [Symbol.asyncDispose]: () => owned.disposeAsync(),
    };
  } catch (error) {
    await stack.disposeAsync();
    throw error;
  }
}

/** A CA, and one certificate for every HTTPS listener; `api.cloudflare.com` for acme.sh, which goes to no other name. */
async function makeCertificates(folder: string) {
  async function openssl(...args: readonly string[]): Promise<void> {
    const { success, stderr } = await new Deno.Command("openssl", {
      args: [...args],
      cwd: folder,
      stdin: "null",
    }).output();
    if (!success) throw new Error(`openssl ${args[0]}: ${new TextDecoder().decode(stderr)}`);
  }
  const newKey = ["-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"];
  await openssl(
    ...["req", "-x509", ...newKey, "-days", "30", "-keyout", "ca.key", "-out", "ca.pem"],
    ...["-subj", "/CN=CA of the rig's listeners"],
  );
  await openssl("req", ...newKey, "-keyout", "leaf.key", "-out", "leaf.csr", "-subj", "/CN=rig");
  await Deno.writeTextFile(
    join(folder, "leaf.ext"),
    "basicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth\n" +
      "subjectAltName=DNS:localhost,DNS:api.cloudflare.com,IP:127.0.0.1\n",
  );
  await openssl(
    ...["x509", "-req", "-in", "leaf.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial"],
    ...["-days", "29", "-extfile", "leaf.ext", "-out", "leaf.pem"],
  );
  const [caPem, cert, key] = await Promise.all(
    ["ca.pem", "leaf.pem", "leaf.key"].map((name) => Deno.readTextFile(join(folder, name))),
  );
  return { caPem, cert, key };
}
