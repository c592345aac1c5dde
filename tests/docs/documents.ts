/** The documents as the tests read them: their commands, and what these are said to print. */

export interface Block {
  /** As a reader types them, one after the other: comments gone, continued lines joined. */
  readonly commands: readonly string[];
  /** What all of them print together, `…` for anything; undefined: the document does not say. */
  readonly output?: string;
}

export interface Document {
  /** From the checkout's root. */
  readonly path: string;
  /** The document whose commands come before. */
  readonly after?: string;
  readonly blocks: readonly Block[];
}

export interface Untested {
  readonly command: string;
  readonly why: string;
}

const ROOT = new URL("../../", import.meta.url).pathname;

export async function readDocuments(): Promise<readonly Document[]> {
  const names = (await Array.fromAsync(Deno.readDir(`${ROOT}docs`)))
    .map(({ name }) => `docs/${name}`).filter((path) => path.endsWith(".md"));
  return await Promise.all(["README.md", "SECURITY.md", ...names.sort()].map(async (path) => {
    const text = await Deno.readTextFile(`${ROOT}${path}`);
    const after = /<!-- the commands below go on from (\S+) -->/.exec(text)?.[1];
    return { path, blocks: blocksIn(text), ...(after && { after: `docs/${after}` }) };
  }));
}

/** The rows of docs/untested.md: `| command | why |`. */
export async function readUntested(): Promise<readonly Untested[]> {
  const text = await Deno.readTextFile(`${ROOT}docs/untested.md`);
  return [...text.matchAll(/^\| `` ?(.+?) ?`` \| (.+) \|$/gm)]
    .map(([, command, why]) => ({ command: command.replaceAll("\\|", "|"), why }));
}

/** The blocks of shell commands, each with the block of text right below it. */
export function blocksIn(text: string): readonly Block[] {
  const fence = /^```sh\n(.*?)^```\n(?:\n```text\n(.*?)^```$)?/gms;
  return [...text.matchAll(fence)].map(([, body, output]) => ({
    commands: commandsIn(body),
    ...(output !== undefined && { output }),
  }));
}

function commandsIn(body: string): readonly string[] {
  return body.replaceAll(/\\\n\s*/g, "").split("\n")
    .map((line) => line.replace(/(^|\s)#\s.*$/, "").trim())
    .filter((line) => line !== "");
}

/** Whether something was printed as the document says. */
export function isAsSaid(printed: string, said: string): boolean {
  const pattern = said.trim().split("…")
    .map((part) => part.replaceAll(/[\\^$.*+?()[\]{}|]/g, "\\$&")).join(".*");
  return new RegExp(`^${pattern}$`, "s").test(printed.trim());
}
