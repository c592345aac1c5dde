/** A real HAProxy with the certificates of its root, and the healing of them as the agent does it. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { readSettings } from "../../lib/config.ts";
import type { AgentError } from "../../lib/errors.ts";
import { paths } from "../../lib/init/options.ts";
import { certificateDrift, convergeCertificates } from "../../lib/reconcile/certificates.ts";
import type { Drift } from "../../lib/reconcile/subject.ts";
import { showCertificates, showCrtList } from "../../lib/runtime/commands.ts";
import { type Conversation, runtimeClient } from "../../lib/runtime/connection.ts";
import { type Command, wire } from "../../lib/runtime/encode.ts";
import { parseCertificateNames, parseCrtList } from "../../lib/runtime/parse_ssl.ts";
import { openRoot } from "../../lib/sandbox/files.ts";
import { type CertificateFiles, certificateFiles } from "../../lib/state/certificates.ts";
import { type Haproxy, type HaproxyOptions, startHaproxy } from "../support/haproxy.ts";

export interface CertificateSite extends AsyncDisposable {
  readonly haproxy: Haproxy;
  readonly certificates: CertificateFiles;
  /** The crt-list's path, on disk and in HAProxy. */
  readonly list: string;
  readonly httpsPort: number;
  /** `a.test.pem` with its folder. */
  file(name: string): string;
  write(name: string, text: string): Promise<void>;
  /** Adds lines to the crt-list's file. */
  addLines(...lines: string[]): Promise<void>;
  setDomains(...domains: string[]): Promise<void>;
  /** The names of the certificates that changed. */
  heal(options?: { readonly justStarted?: boolean }): Promise<
    { readonly changed: readonly string[]; readonly problems: readonly AgentError[] }
  >;
  drift(): Promise<Drift>;
  /** All that heal and drift sent since the last time this was asked, but for what only reads. */
  changesSent(): string[];
  /** Commands as somebody else might send them. */
  send(...commands: Command[]): ReturnType<Conversation["exchange"]>;
}

export async function openSite(options: HaproxyOptions = {}): Promise<CertificateSite> {
  const haproxy = await startHaproxy({ pools: 1, slots: 1, ...options });
  const { api, httpsPort } = haproxy.options;
  const files = readSettings({ HAPROXY_ROOT: haproxy.root }).files;
  const certificates = certificateFiles(await openRoot(haproxy.root), files);
  const client = runtimeClient({ host: api.address, port: api.port });
  const list = paths(haproxy.root).crtList;
  let sent: Command[] = [];
  const watched = ({ exchange }: Conversation): Conversation => ({
    exchange(commands) {
      sent.push(...commands);
      return exchange(commands);
    },
  });
  const file = (name: string) => join(files.certsFolder, name);

  return {
    haproxy,
    certificates,
    list,
    httpsPort,
    file,
    write: (name, text) => Deno.writeTextFile(file(name), text),
    addLines: (...lines) =>
      Deno.writeTextFile(list, lines.map((line) => `${line}\n`).join(""), { append: true }),
    setDomains: (...domains) => Deno.writeTextFile(files.certificates, JSON.stringify({ domains })),
    async heal({ justStarted = false } = {}) {
      const listed = await certificates.lists();
      const { changed, problems } = await client.converse((talk) =>
        convergeCertificates(watched(talk), listed, certificates, {
          crtList: files.crtList,
          justStarted,
        })
      );
      for (const { kind } of changed) assert.equal(kind, "certificate");
      return { changed: changed.map(({ name }) => name), problems };
    },
    async drift() {
      const listed = await certificates.lists();
      return await client.converse((talk) =>
        certificateDrift(watched(talk), listed, certificates, { crtList: files.crtList })
      );
    },
    changesSent() {
      const changes = sent.filter(({ line }) => !line.startsWith("show ")).map(wire);
      sent = [];
      return changes;
    },
    send: (...commands) => client.converse((talk) => talk.exchange(commands)),
    [Symbol.asyncDispose]: () => haproxy[Symbol.asyncDispose](),
  };
}

export const IN_ORDER = { changed: [], problems: [] };

/** What HAProxy holds now. */
export async function state({ send, list }: CertificateSite) {
  const [names, entries] = await send(showCertificates(), showCrtList(list));
  assert.ok(names.ok && entries.ok);
  return { ...parseCertificateNames(names.text), entries: parseCrtList(entries.text) };
}

/** Fails unless disk and HAProxy agree, and healing sends nothing then. */
export async function settled(site: CertificateSite): Promise<void> {
  site.changesSent();
  assert.deepEqual(await site.heal(), IN_ORDER);
  assert.deepEqual(await site.drift(), { differences: [], commands: [], problems: [] });
  assert.deepEqual(site.changesSent(), []);
}
