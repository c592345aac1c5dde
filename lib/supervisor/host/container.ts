/** What `podman container inspect` says of HAProxy's container: its state, its command line, its mounts. */
import { basename, isAbsolute, join, relative } from "node:path";

export interface Container {
  /** Podman's word: running, exited, paused, …; `none`, `no podman`, or `unknown` where podman can't say. */
  readonly status: string;
  /** Why nothing can be run in it, as the end of a sentence; undefined: it runs. */
  readonly problem?: string;
  /** Its first process and arguments, likeliest spelling first. */
  readonly commands: readonly (readonly string[])[];
  readonly mounts: readonly Mount[];
}

export interface Mount {
  /** Absolute, on this machine. */
  readonly source: string;
  /** Absolute, in the container. */
  readonly destination: string;
}

/** A container that can't be looked at. */
export const noContainer = (status: string, problem: string): Container => ({
  status,
  problem,
  commands: [],
  mounts: [],
});

/** Reads the JSON of `podman container inspect NAME`; what has an unexpected shape counts as absent. */
export function readInspect(json: string, name: string): Container {
  const inspected = first(parse(json));
  const status = at(inspected, "State", "Status");
  if (typeof status !== "string" || !isPlain(status)) {
    return noContainer("unknown", `podman does not say how container ${name} is`);
  }
  const mounts = at(inspected, "Mounts");
  return {
    status,
    ...(status !== "running" && { problem: `container ${name} is ${status}` }),
    commands: [
      [...strings(at(inspected, "Path")), ...strings(at(inspected, "Args"))],
      [
        ...strings(at(inspected, "Config", "Entrypoint")),
        ...strings(at(inspected, "Config", "Cmd")),
      ],
    ],
    mounts: (Array.isArray(mounts) ? mounts : []).flatMap((mount) => {
      const [source] = strings(at(mount, "Source"));
      const [destination] = strings(at(mount, "Destination"));
      if (!source || !destination || !isAbsolute(source) || !isAbsolute(destination)) return [];
      return [{ source, destination }];
    }),
  };
}

/**
 * The command that checks what the container's own command starts: the same program, files and folder.
 * Where the command names no file (a shell script), `configFile` as the container sees it.
 *
 * @returns undefined where neither can be found
 */
export function checkCommand(container: Container, configFile: string): string[] | undefined {
  for (const words of container.commands) {
    const { program, options, files } = readCommand(words);
    if (files.length > 0) {
      return [program, "-c", "-V", ...options, ...files.flatMap((file) => ["-f", file])];
    }
  }
  const file = inContainer(configFile, container.mounts);
  return file === undefined ? undefined : ["haproxy", "-c", "-V", "-f", file];
}

/** With a value of their own, and of a say in how the files are read. */
const WITH_VALUE = ["-C", "-L"];
/** They decide what is an error: resolution failures, warnings. */
const FLAGS = ["-dr", "-dW"];

/** haproxy(1): `-f FILE` as often as one likes, and everything behind `--` is a file. */
function readCommand(words: readonly string[]) {
  // Behind an init, or the image's entry point, which puts `haproxy` before options.
  const found = words.findIndex((word) => basename(word) === "haproxy");
  const program = found < 0 ? "haproxy" : words[found];
  const options: string[] = [];
  const files: string[] = [];
  for (let i = found < 0 ? 1 : found + 1; i < words.length; i++) {
    const word = words[i];
    if (word === "--") {
      files.push(...words.slice(i + 1));
      break;
    }
    if (FLAGS.includes(word)) options.push(word);
    else if (word === "-f") files.push(words[++i] ?? "");
    else if (WITH_VALUE.includes(word)) options.push(word, words[++i] ?? "");
  }
  // Whoever wrote the container's command decides what is run in it, but no file becomes an option.
  const usable = [program, ...files].every((word) => word !== "" && !word.startsWith("-"));
  return { program, options, files: usable ? files : [] };
}

/** A path of this machine as the container sees it, by the innermost mount that holds it. */
function inContainer(path: string, mounts: readonly Mount[]): string | undefined {
  const [inner] = mounts
    .filter(({ source }) => path === source || path.startsWith(join(source, "/")))
    .sort((a, b) => b.source.length - a.source.length);
  return inner && join(inner.destination, relative(inner.source, path));
}

function parse(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}

const first = (value: unknown): unknown => Array.isArray(value) ? value[0] : undefined;

function at(value: unknown, ...keys: string[]): unknown {
  return keys.reduce<unknown>(
    (inner, key) =>
      typeof inner === "object" && inner !== null && Object.hasOwn(inner, key)
        ? (inner as Record<string, unknown>)[key]
        : undefined,
    value,
  );
}

/** A string or a list of them, as podman 4 and 5 spell Entrypoint; [] where one is not plain. */
function strings(value: unknown): string[] {
  const list = typeof value === "string" ? [value] : value;
  return Array.isArray(list) && list.every(isPlain) ? list : [];
}

// deno-lint-ignore no-control-regex -- those are what it is about
const isPlain = (value: unknown) => typeof value === "string" && !/[\0-\x1f\x7f]/.test(value);
