/** Keys and certificates for a test, made by openssl, and what a TLS server shows. Needs --allow-run=openssl. */
import { join } from "node:path";

export interface Issued {
  /** PEM, each with its newline at the end. */
  readonly key: string;
  readonly certificate: string;
  /** SHA-1 over the DER as openssl says it: hexadecimal, upper case, no colons. */
  readonly fingerprint: string;
  /** Key, certificate and the chain up to the authority, in the order in which HAProxy wants them. */
  readonly pem: string;
}

export interface IssueOptions {
  /** @default a self-signed certificate */
  readonly by?: Issued;
  /** The kind of a new key; `ec` is on P-256. @default {"ec"} */
  readonly key?: "ec" | "P-384" | "P-521" | "ed25519" | `rsa:${number}`;
  /** A key that is there (PEM), such as another certificate's. */
  readonly ownKey?: string;
  /** As `openssl req -subj` takes it: `/O=Example/CN=a.test`, `/` for none. @default the first name as common name */
  readonly subject?: string;
  /** How long it is valid from now. @default {90} */
  readonly days?: number;
  /** Whether it may issue others. @default only where it is self-signed */
  readonly ca?: boolean;
  /** More of openssl's arguments: `-sha1`, `-set_serial`, `-addext`. */
  readonly args?: readonly string[];
}

export interface Pki extends AsyncDisposable {
  /** A certificate for these names, or addresses (`IP:127.0.0.1`). Without names it has no subjectAltName. */
  issue(names: readonly string[], options?: IssueOptions): Promise<Issued>;
  /** A self-signed one that was valid in January 2025. */
  expired(name: string): Promise<string>;
  /** openssl with these arguments in the folder of the PKI. */
  openssl(...args: readonly string[]): Promise<string>;
  write(name: string, text: string): Promise<void>;
  read(name: string): Promise<string>;
}

export async function openPki(): Promise<Pki> {
  const folder = await Deno.makeTempDir({ prefix: "haproxy-mcp-pki-" });
  let count = 0;
  const pki: Pki = {
    async issue(names, options = {}) {
      const { by, ownKey, days = 90, ca = by === undefined, args = [] } = options;
      const { subject = `/CN=${names[0]}` } = options;
      const name = `issued-${++count}`;
      if (by) await pki.write(`${name}.ca`, by.certificate + by.key);
      if (ownKey) await pki.write(`${name}.key`, ownKey);
      const altNames = names.map((each) => each.startsWith("IP:") ? each : `DNS:${each}`).join(",");
      await pki.openssl(
        ...["req", "-x509", "-nodes", "-utf8", "-days", `${days}`, "-subj", subject],
        ...ownKey ? ["-key", `${name}.key`] : [...newKey(options.key), "-keyout", `${name}.key`],
        ...["-out", `${name}.crt`],
        ...altNames
          ? ["-addext", `subjectAltName=${subject === "/" ? "critical," : ""}${altNames}`]
          : [],
        ...["-addext", `basicConstraints=critical,CA:${ca ? "TRUE" : "FALSE"}`],
        ...by ? ["-CA", `${name}.ca`, "-CAkey", `${name}.ca`] : [],
        ...args,
      );
      const text = await pki.openssl(
        "x509",
        "-in",
        `${name}.crt`,
        "-noout",
        "-fingerprint",
        "-sha1",
      );
      const own = await pki.read(`${name}.key`), certificate = await pki.read(`${name}.crt`);
      return {
        key: own,
        certificate,
        fingerprint: text.trim().replace(/^.*=/, "").replaceAll(":", ""),
        pem: own + certificate + (by ? by.pem.replace(by.key, "") : ""),
      };
    },
    async expired(name) {
      await pki.write("ca.cnf", CA_CONFIG);
      await pki.write("index", "");
      await pki.write("serial", "01\n");
      await pki.openssl(
        ...["req", "-new", "-nodes", ...newKey(), "-subj", `/CN=${name}`],
        ...["-addext", `subjectAltName=DNS:${name}`, "-keyout", "old.key", "-out", "old.csr"],
      );
      await pki.openssl(
        ...["ca", "-config", "ca.cnf", "-batch", "-notext", "-selfsign", "-keyfile", "old.key"],
        ...["-startdate", "20250101000000Z", "-enddate", "20250201000000Z"],
        ...["-in", "old.csr", "-out", "old.crt"],
      );
      return await pki.read("old.key") + await pki.read("old.crt");
    },
    async openssl(...args) {
      const { success, stdout, stderr } = await new Deno.Command("openssl", {
        args: [...args],
        cwd: folder,
        stdin: "null",
      }).output();
      if (!success) throw new Error(`openssl ${args[0]}: ${new TextDecoder().decode(stderr)}`);
      return new TextDecoder().decode(stdout);
    },
    write: (name, text) => Deno.writeTextFile(join(folder, name), text),
    read: (name) => Deno.readTextFile(join(folder, name)),
    [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }),
  };
  return pki;
}

/** `openssl ca` is the one of Debian 12's commands that takes a date of the past. */
const CA_CONFIG = `
[ca]
default_ca = here
[here]
database = index
new_certs_dir = .
serial = serial
default_md = sha256
copy_extensions = copy
policy = any
[any]
commonName = supplied
`;

function newKey(key: IssueOptions["key"] = "ec"): string[] {
  if (key === "ed25519" || key.startsWith("rsa:")) return ["-newkey", key];
  return ["-newkey", "ec", "-pkeyopt", `ec_paramgen_curve:${key === "ec" ? "P-256" : key}`];
}

/** The certificates that a TLS server of the loopback shows for a name, their SHA-1 fingerprints in its order. */
export async function served(port: number, name: string): Promise<string[]> {
  const { stdout } = await new Deno.Command("openssl", {
    args: ["s_client", "-connect", `127.0.0.1:${port}`, "-servername", name, "-showcerts"],
    stdin: "null",
    stderr: "null",
  }).output();
  const blocks = new TextDecoder().decode(stdout)
    .matchAll(/-----BEGIN CERTIFICATE-----([^-]+)-----END CERTIFICATE-----/g);
  return await Promise.all(Array.from(blocks, async ([, base64]) => {
    const der = Uint8Array.from(atob(base64.replaceAll("\n", "")), (c) => c.charCodeAt(0));
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-1", der));
    return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("").toUpperCase();
  }));
}

/** Throws where a text holds a line of the key: whatever it is, it was to be shown to somebody. */
export function assertNoKey(text: string, ...keys: readonly string[]): void {
  for (const line of keys.flatMap((key) => key.split(/\r?\n/))) {
    if (line.length >= 8 && !line.startsWith("-----") && text.includes(line)) {
      throw new Error(`key material in: ${text.replaceAll(line, "HERE").slice(0, 300)}`);
    }
  }
}
