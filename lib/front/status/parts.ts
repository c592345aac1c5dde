/** The page as trees of parts, so that only what is new of it has to be sent. */
import { asItIs, type Html } from "./markup.ts";

/** An element with an id, and those of its descendants that can be replaced by themselves. */
export interface Part {
  readonly id: string;
  readonly html: string;
  /** The same with the children's ids in their places: equal in two trees where only the children differ. */
  readonly frame: string;
  readonly children: readonly Part[];
}

/** @param render writes the element around its children's */
export function part(
  id: string,
  render: (children: readonly Html[]) => Html,
  children: readonly Part[] = [],
): Part {
  const html = String(render(children.map(({ html }) => asItIs(html))));
  const frame = children.length > 0 ? String(render(children.map(({ id }) => asItIs(id)))) : html;
  return { id, html, frame, children };
}

/** The fewest parts that make `after` of `before`, two trees of one root. */
export function changedParts(before: Part, after: Part): readonly Part[] {
  if (before.html === after.html) return [];
  if (before.frame !== after.frame || after.children.length === 0) return [after];
  return after.children.flatMap((child, i) => changedParts(before.children[i], child));
}

/** The tree's root and all below it. */
export function* allParts(tree: Part): Generator<Part> {
  yield tree;
  for (const child of tree.children) yield* allParts(child);
}
