/** A dry run's answer: the lines of files that would go (-) and come (+), and HAProxy's commands. */
import { basename } from "node:path";
import type { Files } from "../config.ts";
import type { Command } from "../runtime/encode.ts";
import { type Change, changesNothing, type Server } from "../state/model.ts";
import { serverJson } from "../state/servers_file.ts";
import type { Preview } from "./request.ts";

export function preview(
  changes: readonly Change[],
  commands: readonly Command[],
  paths: Pick<Files, "map" | "servers">,
): Preview {
  const real = changes.filter((change) => !changesNothing(change));
  const linesOf = (kind: Change["kind"], path: string) => {
    const lines = real.filter((change) => change.kind === kind).flatMap(lineChange);
    return lines.length > 0 ? [{ file: basename(path), lines }] : [];
  };
  return {
    files: [...linesOf("map", paths.map), ...linesOf("server", paths.servers)],
    commands: commands.map((command) => command.line),
  };
}

/** `domains.map: + example.com pool_5`, a line each. */
export function changedLines(changes: readonly Change[], paths: Files): string[] {
  return preview(changes, [], paths).files.flatMap(({ file, lines }) =>
    lines.map((line) => `${file}: ${line}`)
  );
}

function lineChange(change: Change): string[] {
  const line = (side: string | Server) =>
    change.kind === "map"
      ? `${change.key} ${side}`
      : `${change.pool}.${change.slot} ${JSON.stringify(serverJson(side as Server))}`;
  return [
    ...(change.before === null ? [] : [`- ${line(change.before)}`]),
    ...(change.after === null ? [] : [`+ ${line(change.after)}`]),
  ];
}
