/** Documents that people write, with parts that a script writes. */

/**
 * The document with `part` between `<!-- NAME: written by … -->` and `<!-- /NAME -->`. Throws where it lacks one of them.
 *
 * @param path of the document, for the error
 */
export function withPart(path: string, document: string, name: string, part: string): string {
  const begin = new RegExp(`<!-- ${name}: \\w+ by \\S+ -->`).exec(document)?.[0];
  const end = `<!-- /${name} -->`;
  const [before, rest] = document.split(begin ?? end);
  const after = rest?.split(end)[1];
  if (!begin || after === undefined) throw new Error(`${path} lacks <!-- ${name}: … --> … ${end}`);
  return `${before}${begin}\n\n${part}\n${end}${after}`;
}
