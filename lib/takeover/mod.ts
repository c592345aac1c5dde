/**
 * Takes over what the original (Python) haproxy-mcp has left under the root. Its files stay, or stay beside their
 * successors as NAME.original; what can't be taken is told, and never dropped without a word.
 */
import { basename, dirname, join } from "node:path";
import { counted } from "../counted.ts";
import type { Settings } from "../config.ts";
import { AgentError } from "../errors.ts";
import { exists, type InitFiles, openFiles } from "../init/files.ts";
import { paths } from "../init/options.ts";
import { parseCertificatesFile } from "../state/certificates_file.ts";
import { parseMapFile } from "../state/map_file.ts";
import { configAdvice } from "./advice.ts";
import { refuseLinks } from "./links.ts";
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

/**
 * Throws STATE_CORRUPT for a file that can't be read at all, STATE_IO where a symlink stands in the way of one: before
 * anything is read or written. Nothing to take is nothing to say.
 */
export async function takeOver(settings: Settings): Promise<TakenOver> {
  const { files: { root }, host } = settings;
  const links = await refuseLinks(settings, WILDCARDS);
  const files = openFiles(root);
  const parts = [
    await takeMap(files, settings),
    await takeServersFile(files, settings),
    await takeTokenFile(files, settings),
    await lookAtCertificates(files, settings),
    lookAtDatabases(root),
    { left: links },
  ];
  const config = await files.text(host.configFile);
  if (config === undefined && host.configFile !== paths(root).config) {
    parts.push({
      left: [`${host.configFile}, which HAPROXY_CONFIG_FILE names, is not there.`],
    });
  }
  return {
    done: parts.flatMap(({ done = [] }) => done),
    left: parts.flatMap(({ left = [] }) => left),
    config: config === undefined ? [] : configAdvice(config, settings),
  };
}

/** Once: a wildcard that is removed later must not come back. That domains.map.original is there says that it was done. */
async function takeMap(files: InitFiles, { files: { map } }: Settings): Promise<Part> {
  const path = join(dirname(map), WILDCARDS);
  const wildcards = await files.text(path);
  const original = `${map}.original`;
  if (wildcards === undefined || exists(original)) return {};
  const found = await files.look(map);
  const text = found?.text ?? "";
  const merged = mergeWildcards({ text, path: map }, { text: wildcards, path });
  if (found) await files.copy(map, found);
  else await files.create(original, 0o644, () => text);
  await files.renew(map, found?.mode ?? 0o644, merged.text);
  const { added, left } = merged;
  return {
    done: [
      `${path}: ${counted(added.length, "wildcard")} of it stand in ${
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

/** One that is ours, by pool, is never written: what is wrong with it is for a person, or for a setting, to put right. */
async function takeServersFile(
  files: InitFiles,
  { files: { map, servers }, haproxy }: Settings,
): Promise<Part> {
  const found = await files.look(servers);
  if (found === undefined) return {};
  const backends = new Map(parseMapFile(await files.text(map) ?? "", map).entries());
  const taken = takeServers(found.text, servers, haproxy, (key) => backends.get(key));
  if (!taken.keyedByDomain) {
    return {
      left: taken.left.map((sentence) =>
        `${servers}, ${sentence} The file stays as it is, and serve does not take it so.`
      ),
    };
  }
  const original = basename(await files.copy(servers, found));
  if (taken.text !== undefined) await files.renew(servers, found.mode, taken.text);
  return {
    done: [
      `${servers}: ${
        counted(taken.count, "server")
      }, by domain; by pool from the first change on. As it was: ${original}.`,
    ],
    left: taken.left.map((sentence) => `${original}, ${sentence}`),
  };
}

async function takeTokenFile(files: InitFiles, { tokenFile }: Settings): Promise<Part> {
  const found = await files.look(tokenFile);
  if (found === undefined) return {};
  const done: string[] = [];
  if (found.mode & 0o177) {
    await files.restrict(tokenFile, 0o600);
    done.push(`${tokenFile}: only its owner can read it now (it had mode ${octal(found.mode)}).`);
  }
  const taken = takeTokens(found.text);
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
  const original = basename(await files.copy(tokenFile, { ...found, mode: 0o600 }));
  await files.renew(tokenFile, 0o600, taken.text);
  done.push(`${tokenFile}: its token is MCP_TOKEN now. As it was: ${original}.`);
  return { done };
}

async function lookAtCertificates(
  files: InitFiles,
  { files: { certificates } }: Settings,
): Promise<Part> {
  const text = await files.text(certificates);
  if (text === undefined) return {};
  try {
    const { domains, records } = parseCertificatesFile(text, certificates);
    const strange = domains.filter((domain) => !records.has(domain));
    return strange.length === 0 ? {} : {
      done: [
        `${certificates}: serve renews ${
          counted(strange.length, "certificate")
        } of it by itself, once it has ` +
        "CF_Token. If acme.sh's cron job renews them too: acme.sh --uninstall-cronjob.",
      ],
    };
  } catch (cause) {
    return { left: [AgentError.from(cause).message] };
  }
}

/** Where a later version of the original keeps its truth. */
function lookAtDatabases(root: string): Part {
  const places = ["", "conf", "data", "haproxy_mcp"].map((f) => join(root, f, "haproxy_mcp.db"));
  return {
    left: places.filter(exists).map((path) =>
      `${path} is not read. If the original kept its state there, its domains.map, wildcards.map and ` +
      "servers.json may be older: compare them with what it lists."
    ),
  };
}

const octal = (mode: number) => (mode & 0o777).toString(8);
