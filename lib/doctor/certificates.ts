/** Checks of the certificates on disk, and of what renews them. */
import { counted } from "../counted.ts";
import { daysLeft, lifeLeft } from "../certificates/renewal_time.ts";
import type { AcmeSettings } from "../config.ts";
import type { CertificateSeen } from "../../tools/examine_files.ts";
import { underRoot } from "./asked.ts";
import {
  type Check,
  fault,
  faultOf,
  type Finding,
  isDenied,
  named,
  need,
  nothingIn,
  ok,
  Skip,
  warning,
  words,
  worstOf,
} from "./check.ts";
import type { Seen } from "./seen.ts";

/** Anybody but its owner and HAProxy's group. */
const OTHERS = 0o007;

function files(seen: Seen): Finding {
  const { certificates, inventory } = need(underRoot(seen, "files"));
  const { count, problems } = need(certificates);
  const denied = problems.filter(({ message }) => isDenied(message));
  if (denied.length > 0) throw new Skip("this user may not read them all (see access)");
  const findings = problems.map((problem) => faultOf(problem));
  const said = (problem: string) => problems.some(({ message }) => message === problem);
  // What needs a look into key and chain; of those alone that HAProxy has to serve.
  for (const { name, file, served, problem } of "value" in inventory ? inventory.value : []) {
    if (!served || problem === undefined || said(problem)) continue;
    if (problems.some(({ message }) => message.includes(file))) continue;
    findings.push(fault(
      problem,
      `Put key, certificate and chain into ${file}, then haproxy-mcp call haproxy_load_cert --domain ${name}`,
    ));
  }
  return worstOf(findings, `${counted(count, "certificate")} can be served`);
}

const served = (seen: Seen): readonly CertificateSeen[] =>
  need(need(underRoot(seen, "files")).inventory).filter(({ served }) => served);

const endOf = ({ notAfter }: CertificateSeen) => Date.parse(notAfter ?? "9999-12-31");

function expiry(seen: Seen): Finding {
  const now = new Date(seen.now);
  const firstToEnd = served(seen).toSorted((a, b) => endOf(a) - endOf(b));
  const findings = firstToEnd.flatMap(
    ({ name, file, managed, notBefore, notAfter }): Finding[] => {
      if (notBefore === undefined || notAfter === undefined) return [];
      const remedy = managed
        ? `See why it was not renewed: haproxy-mcp call haproxy_renew_cert --domain ${name}`
        : `Put a new one into ${file}, then haproxy-mcp call haproxy_load_cert --domain ${name}`;
      switch (lifeLeft({ notBefore, notAfter }, seen.now)) {
        case "none":
          return [fault(`${name} has expired on ${notAfter.slice(0, 10)}`, remedy)];
        case "little":
          return [warning(`${name} ends in ${counted(daysLeft(notAfter, now), "day")}`, remedy)];
        default:
          return [];
      }
    },
  );
  return worstOf(findings, "none has expired or is about to");
}

function renewals(seen: Seen): Finding {
  const managed = served(seen).filter(({ managed }) => managed);
  if (managed.length === 0) throw new Skip("the agent renews no certificate here");
  const findings = managed.flatMap(({ name, failure }): Finding[] =>
    failure
      ? [warning(
        `${name} could not be renewed at ${failure.at}: ${failure.message}`,
        `Put that right, then: haproxy-mcp call haproxy_renew_cert --domain ${name}`,
      )]
      : []
  );
  if (!seen.settings.acme.autoRenew) {
    findings.unshift(warning(
      `MCP_AUTO_RENEW=false: nobody renews ${named(managed.map(({ name }) => name))}`,
      "Take it out, or let a timer run: haproxy-mcp call haproxy_renew_all_certs",
    ));
  }
  return worstOf(
    findings,
    `${counted(managed.length, "certificate")} renewed by the agent`,
  );
}

function keys(seen: Seen): Finding {
  const { certsFolder, acmeFolder, crtList } = seen.settings.files;
  const tree = need(seen.tree);
  const open = tree.entries.filter(({ path, folder, special, mode }) =>
    !folder && !special && (mode & OTHERS) !== 0 &&
    (path.startsWith(`${acmeFolder}/`) ||
      (path.startsWith(`${certsFolder}/`) && path.endsWith(".pem")))
  );
  if (open.length === 0) {
    return nothingIn(
      tree,
      "no private key is open to other users",
      `find ${certsFolder} ${acmeFolder} -type f -perm /007 ! -path ${crtList}`,
    );
  }
  const names = open.map(({ path }) => path);
  return fault(
    `every user of this machine may read the private key in ${named(names)}`,
    `chmod 600 ${
      words(names, 1)
    } (640 where certs/ is setgid to HAProxy's group), and think about new keys.`,
  );
}

/**
 * Somebody means to order certificates here.
 *
 * @param managed how many the agent renews
 */
export function isAcmeUsed(
  { cloudflare, eab }: Pick<AcmeSettings, "cloudflare" | "eab">,
  managed: number,
): boolean {
  return managed > 0 || cloudflare.token !== undefined || eab !== undefined;
}

const NOT_USED =
  "no certificate is ordered here: neither CF_Token nor EAB is set, and none is renewed";

function acmeCa(seen: Seen): Finding {
  if ("error" in seen.acme) return faultOf(seen.acme.error, "Correct that setting.");
  if (seen.acme.value === null) throw new Skip(NOT_USED);
  const { ca } = seen.acme.value;
  const { host } = new URL(seen.settings.acme.directory);
  if ("value" in ca) return ok(`the CA ${host} answers, and has all that it wants of us`);
  return faultOf(ca.error, "Look whether this machine reaches the CA, and ACME_DIRECTORY.");
}

function dnsToken(seen: Seen): Finding {
  if ("error" in seen.acme) throw new Skip("nobody was asked (see acme-ca)");
  if (seen.acme.value === null) throw new Skip(NOT_USED);
  const { dns } = seen.acme.value;
  if ("error" in dns) return faultOf(dns.error, "Look whether this machine reaches Cloudflare.");
  const { zones } = dns.value;
  return ok(`Cloudflare takes CF_Token${zones.length > 0 ? ` for ${named(zones)}` : ""}`);
}

export const CERTIFICATES_CHECKS: readonly Check[] = [
  {
    name: "certificate-files",
    group: "certificates",
    looksFor: "PEM files, crt-list and certificates.json that can't be used, or lack one another",
    judge: files,
  },
  {
    name: "expiry",
    group: "certificates",
    looksFor: "certificates that have expired, or that should have been renewed long ago",
    judge: expiry,
  },
  {
    name: "renewals",
    group: "certificates",
    looksFor: "renewals that failed, or that nobody does",
    judge: renewals,
  },
  {
    name: "private-keys",
    group: "certificates",
    looksFor: "private keys that other users may read",
    judge: keys,
  },
  {
    name: "acme-ca",
    group: "certificates",
    looksFor:
      "the CA: its directory, External Account Binding that it wants, secrets' files, acme.sh",
    judge: acmeCa,
  },
  {
    name: "dns-token",
    group: "certificates",
    looksFor: "CF_Token that Cloudflare takes, for the zones of the domains that are renewed",
    judge: dnsToken,
  },
];
