/** The lines of haproxy.cfg that make the pools' slots, and where a free slot's address comes from by them. */
import { isIP } from "node:net";
import { type ConfigLine, readHaproxyConfig, type Section, valueAfter } from "./haproxy_config.ts";

export interface SlotLine {
  readonly section: Section;
  readonly line: ConfigLine;
  /** `slot.invalid:1`. */
  readonly address: string;
}

/** The lines that make the pools' slots. */
export function slotLines(sections: readonly Section[]): SlotLine[] {
  return sections.filter(({ kind, name }) => kind === "backend" && /^pool_\d+$/.test(name))
    .flatMap((section) =>
      section.lines.filter(({ words }) => words[0] === "server-template" || words[0] === "server")
        .map((line) => ({
          section,
          line,
          address: line.words[line.words[0] === "server" ? 2 : 3] ?? "",
        }))
    );
}

/** init-addr as it holds for a slot, and where it stands; undefined: nowhere. */
export function initAddrOf({ section, line }: SlotLine) {
  const ofSection = (some: Section) =>
    some.lines.findLast(({ words }) =>
      words[0] === "default-server" && words.includes("init-addr")
    );
  const places = [
    line.words.includes("init-addr") ? line : undefined,
    ofSection(section),
    section.defaults && ofSection(section.defaults),
  ];
  const place = places.find((each) => each !== undefined);
  return place && { place, methods: (valueAfter(place.words, "init-addr") ?? "").split(",") };
}

/** A host name stands there, and no address. */
export const isName = ({ address }: SlotLine) =>
  isIP(address.replace(/:\d+$/, "").replace(/^\[|\]$/g, "")) === 0;

/** HAProxy would look the slots' host names up, for a check too: that can take hours. */
export function looksUpSlots(config: string): boolean {
  return slotLines(readHaproxyConfig(config)).filter(isName)
    .some((slot) => initAddrOf(slot)?.methods.includes("libc") ?? true);
}
