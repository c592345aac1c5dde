/** domains.map: `example.com pool_5` a line. Comments, blank lines and the order of lines are the user's and stay. */
import { AgentError } from "../errors.ts";

export interface MapFile {
  /** Key and backend of each entry, in the file's order; of several with one key HAProxy uses the first, and so do we. */
  entries(): Iterable<readonly [key: string, backend: string]>;
  /**
   * Puts a key in (at its place, also one that it had before, else at the end) or, with null, takes all its lines out.
   * With the backend that it had in the file its lines stand there again as they were.
   */
  set(key: string, backend: string | null): void;
  text(): string;
}

const KEY = /^[A-Za-z0-9_.*:-]{1,255}$/;
const BACKEND = /^[A-Za-z0-9_.:-]{1,255}$/;

/** Throws STATE_CORRUPT with file and line where a line is neither an entry, nor a comment, nor blank. */
export function parseMapFile(text: string, path: string): MapFile {
  // A removed line is undefined: splicing would shift the places that `places` holds.
  const lines: (string | undefined)[] = text.split("\n");
  if (lines[lines.length - 1] === "") lines.pop();
  const original = [...lines];
  const places = new Map<string, number[]>();
  const backends = new Map<string, string>();

  lines.forEach((raw, place) => {
    const line = raw!.trim();
    if (line === "" || line.startsWith("#")) return;
    const [key, backend, ...rest] = line.split(/[ \t]+/);
    if (!KEY.test(key) || !BACKEND.test(backend ?? "") || rest.length > 0) {
      throw new AgentError(
        "STATE_CORRUPT",
        `${path}, line ${place + 1}: ${JSON.stringify(line.slice(0, 200))} is not an entry.`,
        {
          hint:
            "An entry is a domain, a blank and a backend: example.com pool_5. Nothing was changed.",
        },
      );
    }
    const known = places.get(key);
    if (known) known.push(place);
    else {
      places.set(key, [place]);
      backends.set(key, backend);
    }
  });
  const originalBackends = new Map(backends);

  return {
    entries: () => backends.entries(),
    set(key, backend) {
      const known = places.get(key) ?? [];
      for (const place of known) lines[place] = undefined;
      if (backend === null) return void backends.delete(key);
      backends.set(key, backend);
      if (backend === originalBackends.get(key)) {
        for (const place of known) lines[place] = original[place];
        return;
      }
      const place = known[0] ?? lines.length;
      lines[place] = `${key} ${backend}`;
      if (known.length === 0) places.set(key, [place]);
    },
    text: () => lines.filter((line) => line !== undefined).map((line) => `${line}\n`).join(""),
  };
}
