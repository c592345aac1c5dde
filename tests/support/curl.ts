/**
 * One request by the curl binary, over the HTTP version that is asked for and no other, with a certificate that has to
 * verify. Needs --allow-env=CURL_HTTP3, --allow-run of it, and --allow-write of the temporary folder.
 */

export const HTTP_VERSIONS = { "1.1": "--http1.1", "2": "--http2", "3": "--http3-only" } as const;
export type HttpVersion = keyof typeof HTTP_VERSIONS;

export interface CurlAnswer {
  readonly status: number;
  /** As curl says it: `1.1`, `2`, `3`. */
  readonly version: string;
  readonly body: string;
}

/**
 * Throws where there is no answer, or the certificate does not verify for `host`.
 *
 * @param root PEM of the one root that is trusted
 */
export async function curl(
  version: HttpVersion,
  { host, port, root, path = "/" }: {
    readonly host: string;
    readonly port: number;
    readonly root: string;
    readonly path?: string;
  },
): Promise<CurlAnswer> {
  const program = Deno.env.get("CURL_HTTP3");
  if (!program) throw new Error("CURL_HTTP3 is not set: scripts/setup.sh --tests brings it");
  const file = await Deno.makeTempFile({ prefix: "haproxy-mcp-root-" });
  try {
    await Deno.writeTextFile(file, root);
    const { success, stdout, stderr } = await new Deno.Command(program, {
      args: ["-q", "-sS", HTTP_VERSIONS[version], "--cacert", file, "--max-time", "10"]
        .concat("--connect-to", `::127.0.0.1:${port}`, "-w", "\n%{http_code} %{http_version}")
        .concat(`https://${host}:${port}${path}`),
      clearEnv: true,
      stdin: "null",
    }).output();
    const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
    if (!success) throw new Error(`curl over HTTP/${version} of ${host}: ${text(stderr)}`);
    const [, body, status, spoken] = /^([^]*)\n(\d+) (\S+)$/.exec(text(stdout))!;
    return { status: Number(status), version: spoken, body };
  } finally {
    await Deno.remove(file);
  }
}
