/** A resource as it crosses rooms: plain data. The table behind it is tools/resources.ts. */
import type { ToolGroup } from "./tool_definition.ts";

export type ResourceDefinition =
  & {
    readonly name: string;
    readonly title: string;
    readonly description: string;
    readonly mimeType: string;
    /** Offered with the tools of this group. */
    readonly group: ToolGroup;
  }
  & (
    | { readonly uri: string }
    /** RFC 6570, simple expansion: `haproxy://domains/{domain}`. */
    | { readonly uriTemplate: string }
  );

export const resourceUri = (kind: "domains" | "backends" | "certificates", name: string): string =>
  `haproxy://${kind}/${encodeURIComponent(name)}`;

/** What the URI has for the template's variable, empty for a fixed one; undefined: it is another resource's. */
export function variableIn(definition: ResourceDefinition, uri: string): string | undefined {
  if ("uri" in definition) return definition.uri === uri ? "" : undefined;
  const base = definition.uriTemplate.replace(/\{.*\}$/, "");
  const rest = uri.startsWith(base) ? uri.slice(base.length) : "";
  if (rest === "" || /[/?#]/.test(rest)) return undefined;
  try {
    return decodeURIComponent(rest);
  } catch {
    return undefined;
  }
}

/** One that can be read, as resources/list shows it. */
export interface ListedResource {
  readonly uri: string;
  readonly name: string;
  readonly title: string;
  readonly description?: string;
  readonly mimeType: string;
  readonly group: ToolGroup;
}

export interface ResourcePage {
  readonly resources: readonly ListedResource[];
  readonly nextCursor?: string;
}

export interface ResourceText {
  readonly mimeType: string;
  readonly text: string;
}

/** What is different from now on: disk, not what HAProxy measures. */
export interface ResourceChanges {
  /** Resources came or went. */
  readonly list: boolean;
  readonly updated: readonly string[];
}

/** What the tools room may tell the front room. */
export type FrontEars = {
  /** Resolves once everybody has been told. */
  resourcesChanged(changes: ResourceChanges): Promise<void>;
};

/** What completion/complete asks for. */
export interface CompletionQuestion {
  /** Of a prompt or a resource template: `domain`, `backend`, `slot`. */
  readonly argument: string;
  readonly value: string;
  /** Arguments that are filled in already. */
  readonly given: Readonly<Record<string, string>>;
}

export interface Completions {
  /** 100 at most (the specification's limit). */
  readonly values: readonly string[];
  readonly total: number;
  readonly hasMore: boolean;
}
