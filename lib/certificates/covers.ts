/** Which names a certificate is good for (RFC 9525, 6.3). */

/**
 * Whether one of a certificate's names covers this one: itself, or `*.example.com` for exactly one label more. Lower case
 * and A-labels on both sides. `*.example.com` is covered by itself alone.
 */
export function covers(names: readonly string[], name: string): boolean {
  const wildcard = name.replace(/^[^.]+/, "*");
  return names.includes(name) || name.includes(".") && names.includes(wildcard);
}
