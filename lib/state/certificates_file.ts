/** certificates.json: `{"domains": ["example.com"], "certificates": {…}}`; the second key is optional. */
import { AgentError } from "../errors.ts";
import { parseDomain } from "../names/domain.ts";
import { type Corrupt, object, parseJson } from "./json.ts";

export interface CertificatesFile {
  /** In the one spelling of each, in the file's order, each once. */
  readonly domains: readonly string[];
}

/** Throws STATE_CORRUPT with file and place. */
export function parseCertificatesFile(text: string, path: string): CertificatesFile {
  const corrupt: Corrupt = (place, what) =>
    new AgentError("STATE_CORRUPT", `${path}, ${place}: ${what}.`, {
      hint: "Correct the file by hand, or put back a good copy. Nothing was changed.",
    });
  const { domains = [], certificates = {}, ...unknown } = object(
    parseJson(text, corrupt),
    "the whole",
    corrupt,
  );
  const extra = Object.keys(unknown)[0];
  if (extra !== undefined) {
    throw corrupt("the whole", `${JSON.stringify(extra)} is not known here`);
  }
  object(certificates, "certificates", corrupt);
  if (!Array.isArray(domains)) throw corrupt("domains", "a list is expected");
  return {
    domains: [...new Set(domains.map((name, i) => domain(name, `domains[${i}]`, corrupt)))],
  };
}

function domain(value: unknown, place: string, corrupt: Corrupt): string {
  if (typeof value !== "string") {
    throw corrupt(place, `${JSON.stringify(value)?.slice(0, 200)} is not a domain`);
  }
  try {
    const { name, wildcard } = parseDomain(value);
    if (!wildcard) return name;
  } catch (cause) {
    throw corrupt(place, AgentError.from(cause).message.replace(/\.$/, ""));
  }
  throw corrupt(place, `${JSON.stringify(value)} is a wildcard, which its domain's file covers`);
}
