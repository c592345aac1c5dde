/** What the settings keep in files of their own: secrets, and a private CA's root. Read anew each time. */
import type { AcmeSettings } from "../../config.ts";
import { AgentError } from "../../errors.ts";

type Secret = NonNullable<AcmeSettings["cloudflare"]["token"]>;

const MAX_SECRET_BYTES = 8 * 1024;
const MAX_CA_BYTES = 1024 * 1024;

/** The secret in clear. Throws VALIDATION, which names the variable and the file, never what it holds. */
export async function readSecret(secret: Secret): Promise<string> {
  if ("value" in secret) return secret.value;
  const { variable, file } = secret;
  const text = await readFile(variable, file, MAX_SECRET_BYTES, 0o077);
  const value = text.replace(/\r?\n$/, "");
  if (value === "") throw unusable(variable, file, "it is empty");
  // As for a value in the environment: a token goes into a header, a key id into JSON.
  if (!/^[!-~]+$/.test(value)) {
    throw unusable(variable, file, "it holds more than one line, or blanks");
  }
  return value;
}

/** The PEM of ACME_CA_FILE. Throws VALIDATION. */
export async function readCaFile(file: string): Promise<string> {
  const text = await readFile("ACME_CA_FILE", file, MAX_CA_BYTES, 0);
  if (!text.includes("-----BEGIN CERTIFICATE-----")) {
    throw unusable("ACME_CA_FILE", file, "it holds no certificate in PEM");
  }
  return text;
}

/** @param forbidden mode bits that the file must not have */
async function readFile(
  variable: string,
  path: string,
  maxBytes: number,
  forbidden: number,
): Promise<string> {
  try {
    const { isFile, size, mode } = await Deno.stat(path);
    // A pipe would block, a device might never end.
    if (!isFile) throw unusable(variable, path, "it is not a file");
    if (size > maxBytes) throw unusable(variable, path, `it is larger than ${maxBytes} bytes`);
    if ((mode ?? 0) & forbidden) {
      const octal = ((mode ?? 0) & 0o777).toString(8);
      throw unusable(
        variable,
        path,
        `others than its owner may read it (chmod 600; it has ${octal})`,
      );
    }
    return await Deno.readTextFile(path);
  } catch (cause) {
    if (cause instanceof AgentError) throw cause;
    throw unusable(variable, path, why(cause), cause);
  }
}

function why(cause: unknown): string {
  if (cause instanceof Deno.errors.NotFound) return "there is no such file";
  if (cause instanceof Deno.errors.PermissionDenied) return "this user may not read it";
  return cause instanceof Error ? cause.message : String(cause);
}

function unusable(variable: string, path: string, problem: string, cause?: unknown): AgentError {
  return new AgentError("VALIDATION", `${variable}=${path} can't be used: ${problem}.`, { cause });
}
