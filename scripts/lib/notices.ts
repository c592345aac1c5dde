/** The licences of what is in the executable, as text: MIT, BSD and Apache-2.0 want theirs with every copy. */
import { join } from "node:path";
import type { BundledPackage } from "./bundled.ts";

/** Those that ask for no more than their notice. Another one is a decision of people, and stops the build. */
const PERMISSIVE = ["0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT"];

/** What a package's package.json says, as far as it matters here. */
export interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly license?: unknown;
}

export interface Notice {
  readonly title: string;
  readonly licence: string;
  readonly text: string;
}

/** Throws where the licence isn't permissive, or says nothing, or more than one name. */
export function permissive({ name, version, license }: Manifest): string {
  if (typeof license === "string" && PERMISSIVE.includes(license)) return license;
  throw new Error(
    `${name} ${version} has the licence ${JSON.stringify(license)}, which is none of ` +
      `${PERMISSIVE.join(", ")} (scripts/lib/notices.ts).`,
  );
}

export const manifestOf = async (folder: string): Promise<Manifest> =>
  JSON.parse(await Deno.readTextFile(join(folder, "package.json")));

/** @param cache from npmCache() */
export async function noticeOf(cache: string, { name, version }: BundledPackage): Promise<Notice> {
  const folder = join(cache, name, version);
  const files = (await Array.fromAsync(Deno.readDir(folder), (entry) => entry.name))
    .filter((file) => /^(licen[cs]e|copying|copyright|notice)/i.test(file)).sort();
  if (files.length === 0) throw new Error(`${name} ${version} brings no text of its licence.`);
  const texts = await Promise.all(files.map((file) => Deno.readTextFile(join(folder, file))));
  return {
    title: `${name} ${version}`,
    licence: permissive(await manifestOf(folder)),
    text: texts.join("\n"),
  };
}

/** @param versions what `Deno.version` says in an executable of the same base */
export async function baseNotices(versions: { readonly deno: string; readonly v8: string }) {
  const text = (file: string) =>
    Deno.readTextFile(new URL(`licences/${file}.txt`, import.meta.url));
  const notices: Notice[] = [
    { title: `Deno ${versions.deno}`, licence: "MIT", text: await text("deno") },
    { title: `V8 ${versions.v8}`, licence: "BSD-3-Clause", text: await text("v8") },
    { title: "ICU", licence: "Unicode-3.0", text: await text("icu") },
  ];
  return notices;
}

const LINE = "-".repeat(100);

/** @param own the project's name, and the text of its licence */
export function noticesText(own: Notice, notices: readonly Notice[]): string {
  const part = ({ title, licence, text }: Notice) =>
    `${LINE}\n${title} (${licence})\n${LINE}\n\n${text.replaceAll("\r", "").trim()}\n`;
  return [
    `${own.title} is under the licence ${own.licence}. What it is made of has licences of its own:\n`,
    `${notices.map(({ title, licence }) => `- ${title}: ${licence}`).join("\n")}\n`,
    "Deno itself is made of many Rust crates. It publishes no list of their notices; the file\n" +
    "Cargo.lock of its source, at the tag of this version, names them.\n",
    ...[own, ...notices].map(part),
  ].join("\n");
}
