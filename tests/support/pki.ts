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
  /** As `openssl req -newkey` takes it. @default {"ec"} */
  readonly key?: "ec" | `rsa:${number}`;
}

export interface Pki extends AsyncDisposable {
  /** A certificate for these names; the first is its subject. */
  issue(names: readonly string[], options?: IssueOptions): Promise<Issued>;
  /** openssl with these arguments in the folder of the PKI. */
  openssl(...args: readonly string[]): Promise<string>;
  write(name: string, text: string): Promise<void>;
  read(name: string): Promise<string>;
}

export async function openPki(): Promise<Pki> {
  const folder = await Deno.makeTempDir({ prefix: "haproxy-mcp-pki-" });
  let count = 0;
  const pki: Pki = {
    async issue(names, { by, key = "ec" } = {}) {
      const name = `issued-${++count}`;
      if (by) await pki.write(`${name}.ca`, by.certificate + by.key);
      await pki.openssl(
        ...["req", "-x509", "-nodes", "-days", "90", "-newkey", key],
        ...key === "ec" ? ["-pkeyopt", "ec_paramgen_curve:P-256"] : [],
        ...["-keyout", `${name}.key`, "-out", `${name}.crt`, "-subj", `/CN=${names[0]}`],
        ...["-addext", `subjectAltName=${names.map((each) => `DNS:${each}`).join(",")}`],
        ...by ? ["-CA", `${name}.ca`, "-CAkey", `${name}.ca`] : [],
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
