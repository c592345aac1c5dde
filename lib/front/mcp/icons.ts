/** Small pictures for clients that show them: SVG in data URIs, so that nothing is fetched. */
import type { ToolGroup } from "../../tool_definition.ts";

interface Icon {
  readonly src: string;
  readonly mimeType: string;
  readonly sizes: string[];
}

/** Line drawings of 24 by 24, in a blue that is seen on light and dark. */
function icon(paths: string): Icon {
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" fill="none" ` +
    `stroke="#3b82f6" stroke-width="2" stroke-linecap="round">${paths}</svg>`;
  return {
    src: `data:image/svg+xml;base64,${btoa(svg)}`,
    mimeType: "image/svg+xml",
    sizes: ["any"],
  };
}

/** One request, three ways. */
export const HAPROXY_ICON = icon(
  `<path d="M3 12h6M9 12l6-7h6M9 12h12M9 12l6 7h6"/><circle cx="9" cy="12" r="2"/>`,
);

export const GROUP_ICONS: Readonly<Record<ToolGroup, Icon>> = {
  domains: icon(
    `<circle cx="12" cy="12" r="9"/><path d="M3 12h18M12 3c4 5 4 13 0 18M12 3c-4 5-4 13 0 18"/>`,
  ),
  servers: icon(`<path d="M4 4h16v6H4zM4 14h16v6H4zM8 7h.01M8 17h.01"/>`),
  health: icon(`<path d="M3 12h4l3-8 4 16 3-8h4"/>`),
  monitoring: icon(`<path d="M4 20V4M4 20h16M8 16v-4M12 16V8M16 16v-6"/>`),
  configuration: icon(
    `<path d="M4 7h10M18 7h2M4 17h2M10 17h10"/><circle cx="16" cy="7" r="2"/><circle cx="8" cy="17" r="2"/>`,
  ),
  certificates: icon(`<path d="M6 11h12v9H6zM9 11V7a3 3 0 0 1 6 0v4"/>`),
};
