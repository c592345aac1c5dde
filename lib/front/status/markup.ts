/** HTML by templates that escape whatever is put into them, unless a template made it. */
import { html as template, raw } from "hono/html";

/** What a template made. */
export type Html = ReturnType<typeof raw>;

export type Value = string | number | Html | readonly (string | number | Html)[];

/** The values stand in text, or in attributes in double quotes. What the templates are indented by is left out. */
export const html = (strings: TemplateStringsArray, ...values: readonly Value[]): Html =>
  // Only promises among the values would make it one.
  template(withoutIndents(strings), ...values) as Html;

/** Of our own files, and of what templates made, which are as they shall be. */
export const asItIs = (text: string): Html => raw(text);

const known = new WeakMap<TemplateStringsArray, TemplateStringsArray>();

function withoutIndents(strings: TemplateStringsArray): TemplateStringsArray {
  const before = known.get(strings);
  if (before) return before;
  const short = strings.map((text) => text.replaceAll(/\s+/g, " "));
  const now = Object.assign(short, { raw: short });
  known.set(strings, now);
  return now;
}
