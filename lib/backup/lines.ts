/** What is different in a file that a restore replaces, for people: lines that go (-) and come (+). Never the content of a secret. */
import { preview } from "../transaction/preview.ts";
import type { CertificatesFile } from "../state/certificates_file.ts";
import { changesBetween, desiredState } from "../state/model.ts";
import type { Routes } from "./fits.ts";

const SAME = ["only comments or the order of lines"];

export function routeLines(before: Routes, after: Routes, kind: "map" | "server"): string[] {
  const state = ({ map, servers }: Routes) => desiredState(map, servers);
  const changes = changesBetween(state(before), state(after)).filter((each) => each.kind === kind);
  const [file] = preview(changes, [], { map: "", servers: "" }).files;
  return file ? [...file.lines] : SAME;
}

export function listLines(before: string, after: string): string[] {
  return differing(before.split("\n"), after.split("\n")) ?? SAME;
}

export function domainLines(
  before: CertificatesFile | undefined,
  after: CertificatesFile,
): string[] {
  return differing(before?.domains ?? [], after.domains) ??
    ["only what is known of the certificates"];
}

function differing(before: readonly string[], after: readonly string[]): string[] | undefined {
  const [old, next] = [new Set(before), new Set(after)];
  const lines = [
    ...Array.from(old.difference(next), (line) => `- ${line}`),
    ...Array.from(next.difference(old), (line) => `+ ${line}`),
  ];
  return lines.length > 0 ? lines : undefined;
}

export const wholeLines = (isThere: boolean): string[] => [
  ...isThere ? ["- the file as it is"] : [],
  "+ the file of the backup",
];
