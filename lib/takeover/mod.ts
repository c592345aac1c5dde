/**
 * Takes over what the original (Python) haproxy-mcp has left under the root. Its files stay, or stay beside their
 * successors as NAME.original; what can't be taken is told, and never dropped without a word.
 */
import { basename, dirname, join } from "node:path";
import type { Settings } from "../config.ts";
import { AgentError } from "../errors.ts";
import { create, exists, renew, textOf } from "../init/files.ts";
import { findEscapes } from "../sandbox/guard.ts";
import { parseCertificatesFile } from "../state/certificates_file.ts";
import { parseMapFile } from "../state/map_file.ts";
import { configAdvice } from "./advice.ts";
import { takeServers } from "./servers.ts";
import { takeTokens } from "./tokens.ts";
import { mergeWildcards } from "./wildcards.ts";

/** Sentences for people. */
export interface TakenOver {
  readonly done: readonly string[];
  /** What a person has to decide or to put right. */
  readonly left: readonly string[];
  /** What haproxy.cfg lacks. */
  readonly config: readonly string[];
}

/** Each part says what it did, and what it left. */
interface Part {
  readonly done?: readonly string[];
  readonly left?: readonly string[];
}

const WILDCARDS = "wildcards.map";

/** Throws STATE_CORRUPT for a file that can't be read at all. Nothing to take is nothing to say. */
export async function takeOver(settings: Settings): Promise<TakenOver> {
  const { files, host } = settings;
  const parts = [
    await takeMap(settings),
    await takeServersFile(settings),
    await takeTokenFile(settings),
    await lookAtCertificates(settings),
    await lookAtDatabases(files.root),
    await lookAtLinks(files.root),
  ];
  const config = await textOf(host.configFile);
  return {
    done: parts.flatMap(({ done = [] }) => done),
    left: parts.flatMap(({ left = [] }) => left),
    config: config === undefined ? [] : configAdvice(config),
  };
}

/** Once: a wildcard that is removed later must not come back. That domains.map.original is there says that it was done. */
async function takeMap({ files: { map } }: Settings): Promise<Part> {
  const path = join(dirname(map), WILDCARDS);
  const wildcards = await textOf(path);
  const original = originalOf(map);
  if (wildcards === undefined || await exists(original)) return {};
  const text = await textOf(map) ?? "";
  const merged = mergeWildcards({ text, path: map }, { text: wildcards, path });
  await create(original, 0o644, () => text);
  await renew(map, 0o644, merged.text);
  const { added, left } = merged;
  return {
    done: [
      `${path}: ${count(added.length, "wildcard")} of it stand in ${
        basename(map)
      } now. It stays as it is ` +
      `and is not read again; ${basename(map)} as it was is ${
        basename(original)
      }. A wildcard is one label ` +
      "deep here, as in TLS: .example.com is a.example.com, not b.a.example.com.",
    ],
    left,
  };
}

async function takeServersFile({ files: { map, servers }, haproxy }: Settings): Promise<Part> {
  const text = await textOf(servers);
  if (text === undefined) return {};
  const backends = new Map(parseMapFile(await textOf(map) ?? "", map).entries());
  const taken = takeServers(text, servers, haproxy, (key) => backends.get(key));
  if (!taken.keyedByDomain && taken.left.length === 0) return {};
  const original = originalOf(servers);
  await create(original, 0o644, () => text);
  if (taken.text !== undefined) await renew(servers, 0o644, taken.text);
  return {
    done: [
      `${servers}: ${
        count(taken.count, "server")
      }, by domain; by pool from the first change on. As it was: ` +
      `${basename(original)}.`,
    ],
    left: taken.left.map((sentence) => `${basename(original)}, ${sentence}`),
  };
}

async function takeTokenFile({ tokenFile }: Settings): Promise<Part> {
  const text = await textOf(tokenFile);
  if (text === undefined) return {};
  const done: string[] = [];
  const { mode } = await Deno.stat(tokenFile);
  if (mode !== null && mode & 0o177) {
    await Deno.chmod(tokenFile, 0o600);
    done.push(`${tokenFile}: only its owner can read it now (it had mode ${octal(mode)}).`);
  }
  const taken = takeTokens(text);
  if (!taken.ok) {
    return {
      done,
      left: [
        `${tokenFile}: ${taken.problem}, so serve does not start with it. Lines are MCP_TOKEN=TOKEN and ` +
        "MCP_READONLY_TOKEN=TOKEN; without the file serve makes one.",
      ],
    };
  }
  if (taken.text === undefined) return { done };
  const original = originalOf(tokenFile);
  await create(original, 0o600, () => text);
  await renew(tokenFile, 0o600, taken.text);
  done.push(`${tokenFile}: its token is MCP_TOKEN now. As it was: ${basename(original)}.`);
  return { done };
}

async function lookAtCertificates({ files: { certificates } }: Settings): Promise<Part> {
  const text = await textOf(certificates);
  if (text === undefined) return {};
  try {
    const { domains, records } = parseCertificatesFile(text, certificates);
    const strange = domains.filter((domain) => !records.has(domain));
    return strange.length === 0 ? {} : {
      done: [
        `${certificates}: serve renews ${
          count(strange.length, "certificate")
        } of it by itself, once it has ` +
        "CF_Token. If acme.sh's cron job renews them too: acme.sh --uninstall-cronjob.",
      ],
    };
  } catch (cause) {
    return { left: [AgentError.from(cause).message] };
  }
}

/** Where a later version of the original keeps its truth. */
async function lookAtDatabases(root: string): Promise<Part> {
  const places = ["", "conf", "data", "haproxy_mcp"].map((f) => join(root, f, "haproxy_mcp.db"));
  const found = (await Promise.all(places.map(async (path) => await exists(path) ? [path] : [])))
    .flat();
  return {
    left: found.map((path) =>
      `${path} is not read. If the original kept its state there, its domains.map, wildcards.map and ` +
      "servers.json may be older: compare them with what it lists."
    ),
  };
}

/** `serve` refuses a root that holds one. */
async function lookAtLinks(root: string): Promise<Part> {
  const real = await Deno.realPath(root).catch(() => undefined);
  const found = real === undefined ? [] : await findEscapes(real).catch(() => []);
  return {
    left: found.map((path) =>
      `${path} leads out of ${root}: serve does not start before it is gone. Move it elsewhere, or the ` +
      "folder that holds it, such as the original's haproxy_mcp/ with its .venv/."
    ),
  };
}

const originalOf = (path: string) => `${path}.original`;
const count = (number: number, word: string) => `${number} ${word}${number === 1 ? "" : "s"}`;
const octal = (mode: number) => (mode & 0o777).toString(8);
