/** What `--version` says: our version, the commit that it was made of, Deno's version. */
import project from "../../deno.json" with { type: "json" };

/** Written and included by scripts/compile.sh, beside the bundle of main.ts; empty where the sources were no clone. */
const file = new URL("./commit.txt", import.meta.url);

export function versionText(): string {
  const made = [commit(), `Deno ${Deno.version.deno}`].filter((part) => part !== undefined);
  return `${project.name} ${project.version} (${made.join(", ")})`;
}

function commit(): string | undefined {
  try {
    const text = Deno.readTextFileSync(file).trim();
    return text === "" ? undefined : `commit ${text}`;
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) return "not compiled";
    throw cause;
  }
}
