/** The original's second map, wildcards.map: its lines become lines of domains.map, which alone is read here. */
import { parseDomain } from "../names/domain.ts";
import { parseMapFile } from "../state/map_file.ts";

export interface MergedMap {
  /** domains.map with them. */
  readonly text: string;
  /** Keys that were added: `.example.com`. */
  readonly added: readonly string[];
  /** Lines that could not be, each a sentence. */
  readonly left: readonly string[];
}

/**
 * Throws STATE_CORRUPT for a domains.map that can't be read.
 *
 * @param map @param wildcards texts and paths of both
 */
export function mergeWildcards(
  map: { readonly text: string; readonly path: string },
  wildcards: { readonly text: string; readonly path: string },
): MergedMap {
  const merged = parseMapFile(map.text, map.path);
  const backends = new Map(merged.entries());
  const added: string[] = [];
  const left: string[] = [];
  for (const [index, raw] of wildcards.text.split("\n").entries()) {
    const line = raw.trim();
    if (line === "" || line.startsWith("#")) continue;
    const [name, backend, ...rest] = line.split(/[ \t]+/);
    const key = wildcardKeyOf(name);
    const place = `${wildcards.path}, line ${index + 1}`;
    if (key === undefined || backend === undefined || rest.length > 0) {
      left.push(`${place}: ${JSON.stringify(line.slice(0, 200))} is no wildcard and its pool.`);
      continue;
    }
    const known = backends.get(key);
    if (known === undefined) {
      backends.set(key, backend);
      merged.set(key, backend);
      added.push(key);
    } else if (known !== backend) {
      left.push(
        `${place}: ${key} leads to ${backend}, but in ${map.path} to ${known}, which stays.`,
      );
    }
  }
  return { text: merged.text(), added, left };
}

/** `.example.com` of `.example.com`, `*.example.com` or `example.com`, in any of which a map of suffixes may have it. */
function wildcardKeyOf(name: string): string | undefined {
  try {
    return parseDomain(`*.${name.replace(/^\*?\./, "")}`).key;
  } catch {
    return undefined;
  }
}
