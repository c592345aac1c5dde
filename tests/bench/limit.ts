/** The limit: commands sent at once on one connection by the least that can send them, until every reply is there. */

/** How many replies `prompt i` mode has given: each ends with an empty line. */
const countReplies = (text: string) => text.split("\n\n").length - 1;

/**
 * Milliseconds from the connection to the last reply.
 *
 * @param commands each with its payload; none answers with an empty line inside
 */
export async function pipelined(
  { address, port }: { readonly address: string; readonly port: number },
  commands: readonly string[],
): Promise<number> {
  const start = performance.now();
  using connection = await Deno.connect({ hostname: address, port });
  const bytes = new TextEncoder().encode(`prompt i\n${commands.join("\n")}\nquit\n`);
  const writing = (async () => {
    for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
  })();
  let text = "";
  const decoder = new TextDecoder();
  const buffer = new Uint8Array(64 * 1024);
  for (;;) {
    const count = await connection.read(buffer);
    if (count === null) break;
    text += decoder.decode(buffer.subarray(0, count), { stream: true });
  }
  await writing;
  const ms = performance.now() - start;
  const replies = countReplies(text);
  if (replies < commands.length) {
    throw new Error(`${replies} replies to ${commands.length} commands: ${text.slice(-500)}`);
  }
  const bad = text.split("\n\n").find((reply) => /can't|unable|error|unknown/i.test(reply));
  if (bad !== undefined) throw new Error(`HAProxy refuses: ${bad}`);
  return ms;
}
