/**
 * Asks npm's advisories about every package of deno.lock, and fails where one of severity moderate or above is known.
 * Where they can't be had (a mirror without them, no network) it says so and fails nothing: what is not known is not bad,
 * and not good either.
 *
 * By npm, as `deno audit` (2.9.6) trusts none of the machine's own roots.
 *
 * Usage: audit.ts [FOLDER], the folder of a deno.lock (default: the working folder).
 */
import { join } from "node:path";
import type { Lock } from "./lib/bundled.ts";

const BAD = ["moderate", "high", "critical"];
/** Milliseconds for all of it: npm by itself tries for minutes. */
const PATIENCE = 60_000;

/** What `npm audit --json` prints, as far as it matters here. */
interface Report {
  readonly vulnerabilities?: Readonly<Record<string, Vulnerable>>;
  readonly message?: string;
  readonly error?: { readonly code?: string; readonly summary?: string };
  readonly statusCode?: number;
}
interface Vulnerable {
  /** Advisories; a name stands for another package that is vulnerable itself. */
  readonly via: readonly (string | Advisory)[];
}
interface Advisory {
  readonly name: string;
  readonly severity: string;
  readonly title: string;
  readonly url: string;
  readonly range: string;
}

export type Verdict =
  | { readonly kind: "audited"; readonly bad: readonly string[]; readonly minor: number }
  | { readonly kind: "not audited"; readonly why: string };

/** A registry that has none, or can't tell just now. Another refusal is of what was asked: that is our fault. */
const NO_ADVISORIES = (status: number) => [401, 403, 404, 405].includes(status) || status >= 500;

/** Throws for what is neither a list of advisories nor the news that there is none to be had. */
export function verdictOf(stdout: string): Verdict {
  const report: Report = JSON.parse(stdout);
  if (report.vulnerabilities) {
    const advisories = Object.values(report.vulnerabilities)
      .flatMap(({ via }) => via.filter((cause) => typeof cause !== "string"));
    const bad = advisories.filter(({ severity }) => BAD.includes(severity));
    return {
      kind: "audited",
      bad: bad.map(({ name, range, severity, title, url }) =>
        `${name} ${range}: ${title} (${severity}), ${url}`
      ),
      minor: advisories.length - bad.length,
    };
  }
  const { message, statusCode, error } = report;
  if (statusCode !== undefined && NO_ADVISORIES(statusCode)) {
    return { kind: "not audited", why: `HTTP status ${statusCode}` };
  }
  const why = error?.summary || message || "";
  if (
    /\b(E[A-Z]{4,}|SELF_SIGNED|UNABLE_TO|CERT_)|request to .* failed|invalid json response/.test(
      why,
    )
  ) {
    return { kind: "not audited", why };
  }
  throw new Error(`npm audit answered what this script can't read: ${stdout.slice(0, 1_000)}`);
}

/** The same packages as deno.lock's, as npm writes its own lock. */
export function npmLock({ npm }: Lock): object {
  const packages = Object.keys(npm).map((key) => {
    const at = key.indexOf("@", 1);
    return { name: key.slice(0, at), version: key.slice(at + 1).split("_")[0] };
  });
  // npm knows one folder for each name: another version of it goes by another one.
  const folder = ({ name, version }: { name: string; version: string }, i: number) =>
    packages.findIndex((other) => other.name === name) === i ? name : `${name}-${version}`;
  const specifier = (folder: string, name: string, version: string) =>
    folder === name ? version : `npm:${name}@${version}`;
  const named = packages.map((one, i) => ({ ...one, folder: folder(one, i) }));
  const dependencies = Object.fromEntries(
    named.map(({ folder, name, version }) => [folder, specifier(folder, name, version)]),
  );
  const project = { name: "audited", version: "0.0.0" };
  return {
    ...project,
    lockfileVersion: 3,
    packages: {
      "": { ...project, dependencies },
      ...Object.fromEntries(
        named.map(({ folder, name, version }) => [`node_modules/${folder}`, { name, version }]),
      ),
    },
  };
}

async function audit(lock: Lock): Promise<Verdict> {
  const folder = await Deno.makeTempDir();
  try {
    const written = npmLock(lock) as { packages: { "": object } };
    await Deno.writeTextFile(join(folder, "package-lock.json"), JSON.stringify(written));
    await Deno.writeTextFile(join(folder, "package.json"), JSON.stringify(written.packages[""]));
    const { stdout, stderr, signal } = await new Deno.Command("npm", {
      args: ["audit", "--json", "--package-lock-only", "--fetch-retries=1"],
      cwd: folder,
      env: { npm_config_cache: join(folder, "cache"), npm_config_update_notifier: "false" },
      stdin: "null",
      signal: AbortSignal.timeout(PATIENCE),
    }).output();
    if (signal) return { kind: "not audited", why: `no answer within ${PATIENCE / 1000} s` };
    const text = new TextDecoder().decode(stdout);
    if (!text.trim()) throw new Error(`npm audit failed: ${new TextDecoder().decode(stderr)}`);
    return verdictOf(text);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

if (import.meta.main) {
  const file = join(Deno.args[0] ?? Deno.cwd(), "deno.lock");
  const text = await Deno.readTextFile(file).catch((cause) => {
    console.error(`${file} can't be read: ${cause.message}`);
    Deno.exit(2);
  });
  const lock: Lock = JSON.parse(text);
  const verdict = await audit(lock);
  if (verdict.kind === "not audited") {
    console.log(`not audited: npm's advisories can't be had from here (${verdict.why})`);
  } else {
    console.log(
      `audited: ${Object.keys(lock.npm).length} packages, ${verdict.bad.length} advisories of ` +
        `severity moderate or above, ${verdict.minor} below`,
    );
    for (const line of verdict.bad) console.error(line);
    if (verdict.bad.length > 0) Deno.exit(1);
  }
}
