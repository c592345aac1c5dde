/** The limit: what any agent has to pay for the same, done by the least that can do it. */

export interface Address {
  readonly address: string;
  readonly port: number;
}

/** How many replies `prompt i` mode has given, its own included: each ends with an empty line. */
const countReplies = (text: string) =>
  text.split("\n").slice(0, -1).filter((line) => line === "").length;

/**
 * Commands sent at once on one connection, until every reply is there: milliseconds from the connection to the last one.
 *
 * @param commands each with its payload; none answers with an empty line inside
 */
export async function pipelined(
  { address, port }: Address,
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
  if (replies < commands.length + 1) {
    throw new Error(`${replies} replies to ${commands.length} commands: ${text.slice(-500)}`);
  }
  const bad = /^(can't|cannot|unable|unknown|error|no such|invalid) .*$/im.exec(text)?.[0];
  if (bad !== undefined) throw new Error(`HAProxy refuses: ${bad}`);
  return ms;
}

/** What makes a change durable: a line at the end of a file, and fsync. */
export async function openAppend(path: string) {
  const file = await Deno.open(path, { append: true, create: true });
  const line = new TextEncoder().encode(`${"x".repeat(300)}\n`);
  return {
    /** Milliseconds. */
    async append(): Promise<number> {
      const start = performance.now();
      await file.write(line);
      await file.syncData();
      return performance.now() - start;
    },
    [Symbol.dispose]: () => file.close(),
  };
}
