/**
 * Fails when an import points the wrong way between the parts of main.ts, lib/ and tools/. Each part imports only parts
 * that LAYERS lists before it, so no cycle between parts can come about. Tests and scripts are free.
 *
 * Usage: check_layers.ts [ROOT], ROOT being the checkout (default: the working folder).
 */
import { relative } from "node:path";
import { pathToFileURL } from "node:url";

export interface Layer {
  /** A file, or a folder with all below it, relative to the checkout. */
  readonly path: string;
  /** Of the earlier parts it imports these and no others. */
  readonly only?: readonly string[];
  readonly never?: readonly string[];
  /** Imported with `import type` alone: their code must not run in this part's room. */
  readonly typesOnly?: readonly string[];
}

/** From low to high. */
export const LAYERS: readonly Layer[] = [
  { path: "lib/errors.ts" },
  { path: "lib/looked.ts" },
  { path: "lib/tool_definition.ts" },
  { path: "lib/resource_definition.ts" },
  { path: "lib/measured.ts" },
  { path: "lib/config" },
  { path: "lib/config.ts" },
  { path: "lib/log.ts" },
  { path: "lib/pause.ts" },
  { path: "lib/rpc" },
  { path: "lib/names" },
  { path: "lib/overview.ts" },
  { path: "lib/owners.ts" },
  { path: "lib/bytes.ts" },
  { path: "lib/counted.ts" },
  // Of the sandbox, what init has need of, too: it runs as root where somebody else may write.
  { path: "lib/sandbox/guard.ts" },
  { path: "lib/sandbox" },
  {
    // Speaks to the CA and the DNS provider: no file and no HAProxy is within its reach.
    path: "lib/certificates/acme",
    only: [
      "lib/errors.ts",
      "lib/looked.ts",
      "lib/config",
      "lib/config.ts",
      "lib/log.ts",
      "lib/pause.ts",
      "lib/rpc",
      "lib/names",
    ],
    typesOnly: ["lib/config", "lib/config.ts"],
  },
  { path: "lib/certificates" },
  { path: "lib/runtime" },
  { path: "lib/state" },
  { path: "lib/reconcile" },
  { path: "lib/transaction" },
  { path: "lib/backup" },
  { path: "lib/issuance", typesOnly: ["lib/certificates/acme"] },
  { path: "tools" },
  {
    // Parses strangers' bytes: whatever could reach a file or HAProxy stays out of its bundle.
    path: "lib/front",
    only: [
      "lib/errors.ts",
      "lib/tool_definition.ts",
      "lib/resource_definition.ts",
      "lib/measured.ts",
      "lib/config.ts",
      "lib/log.ts",
      "lib/pause.ts",
      "lib/rpc",
      "lib/names",
      "lib/overview.ts",
    ],
    typesOnly: ["lib/config.ts"],
  },
  {
    // Runs before there is anything to change.
    path: "lib/init",
    never: [
      "lib/sandbox",
      "lib/runtime",
      "lib/state",
      "lib/reconcile",
      "lib/transaction",
      "tools",
      "lib/front",
    ],
  },
  { path: "lib/supervisor", typesOnly: ["tools", "lib/front"] },
  {
    // Looks by the rooms and by main's acts, and judges; whatever could change something stays out of its reach.
    path: "lib/doctor",
    never: ["lib/transaction", "lib/init", "lib/front"],
    typesOnly: ["lib/issuance", "tools", "lib/certificates/acme"],
  },
  {
    // Once, by init, and before there is an agent: it reads files of ours with the eyes of lib/state.
    path: "lib/takeover",
    never: ["lib/runtime", "lib/reconcile", "lib/transaction", "tools", "lib/front"],
  },
  { path: "lib/cli", never: ["tools", "lib/front"] },
  { path: "main.ts", never: ["tools", "lib/front"] },
];

/** One import, both files relative to the checkout. */
export interface Import {
  readonly from: string;
  /** Counted from 1. */
  readonly line: number;
  readonly to: string;
  readonly typeOnly: boolean;
}

/** One `file:line: sentence` for each import that points the wrong way. */
export function wrongImports(
  imports: readonly Import[],
  layers: readonly Layer[] = LAYERS,
): string[] {
  const indexOf = (file: string) =>
    layers.findIndex(({ path }) => file === path || file.startsWith(`${path}/`));
  const complaint = ({ from, to, typeOnly }: Import): string | undefined => {
    const [fromIndex, toIndex] = [indexOf(from), indexOf(to)];
    for (const [file, index] of [[from, fromIndex], [to, toIndex]] as const) {
      if (index < 0) {
        return `${file} has no place in LAYERS of scripts/check_layers.ts: give it one`;
      }
    }
    if (fromIndex === toIndex) return undefined;
    const layer = layers[fromIndex];
    const imported = layers[toIndex].path;
    const arrow = `${layer.path} may not import ${imported}`;
    if (fromIndex < toIndex) return `${arrow}, which lies above it`;
    if (layer.only && !layer.only.includes(imported)) {
      return `${arrow}, only ${layer.only.join(", ")}`;
    }
    if (layer.never?.includes(imported)) return arrow;
    if (layer.typesOnly?.includes(imported) && !typeOnly) {
      return `${arrow} but with \`import type\``;
    }
  };
  return imports.flatMap((found) => {
    const sentence = complaint(found);
    return sentence ? [`${found.from}:${found.line}: ${sentence}`] : [];
  });
}

/** What `deno info --json` says of a module: `code` for a value's import, `type` for `import type`. */
interface Resolved {
  readonly specifier: string;
  readonly span: { readonly start: { readonly line: number } };
}
interface ModuleInfo {
  readonly specifier: string;
  readonly dependencies?: readonly { readonly code?: Resolved; readonly type?: Resolved }[];
}

async function* typeScriptFiles(folder: URL): AsyncGenerator<URL> {
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    if (isDirectory) yield* typeScriptFiles(new URL(`${name}/`, folder));
    else if (name.endsWith(".ts")) yield new URL(name, folder);
  }
}

/** Every import between files of main.ts, lib/ and tools/ under root. */
export async function readImports(root: string): Promise<Import[]> {
  const base = pathToFileURL(`${root}/`);
  const files = [new URL("main.ts", base)];
  for (const folder of ["lib/", "tools/"]) {
    files.push(...await Array.fromAsync(typeScriptFiles(new URL(folder, base))));
  }
  // deno info takes one entry: here one that imports them all.
  const entry = await Deno.makeTempFile({ suffix: ".ts" });
  try {
    await Deno.writeTextFile(entry, files.map((url) => `import "${url}";\n`).join(""));
    const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["info", "--json", entry],
      cwd: root,
      stdin: "null",
    }).output();
    if (!success) {
      throw new Error(`deno info cannot read the imports: ${new TextDecoder().decode(stderr)}`);
    }
    const { modules } = JSON.parse(new TextDecoder().decode(stdout)) as { modules: ModuleInfo[] };
    const path = (url: string) => relative(base.pathname, new URL(url).pathname);
    return modules
      .filter(({ specifier }) => files.some(({ href }) => href === specifier))
      .flatMap(({ specifier, dependencies = [] }) =>
        dependencies.flatMap(({ code, type }) => {
          const target = code ?? type;
          if (
            !target?.specifier.startsWith(base.href) || target.specifier.endsWith(".json")
          ) return [];
          const line = target.span.start.line + 1;
          return [{ from: path(specifier), line, to: path(target.specifier), typeOnly: !code }];
        })
      );
  } finally {
    await Deno.remove(entry);
  }
}

if (import.meta.main) {
  const wrong = wrongImports(await readImports(Deno.args[0] ?? Deno.cwd()));
  for (const line of wrong) console.error(line);
  if (wrong.length > 0) Deno.exit(1);
}
