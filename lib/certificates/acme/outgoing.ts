/** The room's only way out: every request has a time limit, a size limit, and a sentence for what fails. */
import { AgentError } from "../../errors.ts";

/** Milliseconds from a request to the last byte of its answer. */
const TIMEOUT_MS = 30_000;
/** A chain is some kilobytes, a page of DNS records some tens. */
const MOST_BYTES = 1 << 20;
const MOST_WORDS = 400;
/** Deno's own: client.ts puts another one in its place. */
const send = globalThis.fetch;

export interface Outgoing {
  /**
   * An answer of whatever status, read to its end. Redirects are refused.
   *
   * @param who its name in errors, at the beginning of a sentence: `The CA ca.example`
   * @throws {AgentError} ACME, TIMEOUT; the signal's reason
   */
  request(who: string, url: string, init: RequestInit & { signal: AbortSignal }): Promise<Response>;
  /** A stranger's words as they may stand in a sentence: one line, not too long, no secret. */
  quote(words: unknown): string;
  close(): void;
}

export interface OutgoingOptions {
  /** A private CA's root beside those that are trusted anyway. */
  readonly caPem?: string;
  /** Never repeated in an error, whoever says them. */
  readonly secrets: readonly string[];
}

export function openOutgoing({ caPem, secrets }: OutgoingOptions): Outgoing {
  const client = caPem === undefined ? undefined : createClient(caPem);

  function quote(words: unknown): string {
    let text = String(words);
    for (const secret of secrets) text = text.replaceAll(secret, "…");
    // deno-lint-ignore no-control-regex -- what a stranger might put into somebody's terminal
    text = text.replace(/[\x00-\x1f\x7f-\x9f\u2028\u2029]+/g, " ").trim();
    return text.length > MOST_WORDS ? `${text.slice(0, MOST_WORDS)}…` : text;
  }

  async function request(who: string, url: string, init: RequestInit & { signal: AbortSignal }) {
    const timeout = AbortSignal.timeout(TIMEOUT_MS);
    try {
      const response = await send(url, {
        ...init,
        ...client && { client },
        redirect: "error",
        signal: AbortSignal.any([init.signal, timeout]),
      });
      const body = await readBody(response);
      if (body === undefined) {
        throw new AgentError("ACME", `${who} answered more than ${MOST_BYTES} bytes.`);
      }
      // What has no body by its status may not be given one.
      const { status, headers } = response;
      return new Response([101, 204, 205, 304].includes(status) ? null : body, { status, headers });
    } catch (cause) {
      init.signal.throwIfAborted();
      if (cause instanceof AgentError) throw cause;
      if (timeout.aborted) {
        throw new AgentError("TIMEOUT", `${who} did not answer within ${TIMEOUT_MS / 1000} s.`, {
          hint: "Try again later.",
        });
      }
      throw unreachable(who, url, cause);
    }
  }

  function unreachable(who: string, url: string, cause: unknown): AgentError {
    if (cause instanceof Deno.errors.NotCapable) {
      const { host } = new URL(url);
      return new AgentError("ACME", `${who} leads to ${quote(host)}, which may not be reached.`, {
        hint: "ACME_DIRECTORY and CF_API_URL name the only hosts that certificates need.",
      });
    }
    const why = quote(reason(cause));
    return new AgentError("ACME", `${who} can't be reached: ${why}.`, {
      hint: /certificate|UnknownIssuer/i.test(why)
        ? "If its certificate is from a private CA, set ACME_CA_FILE to that CA's root."
        : "Look whether this machine reaches it, and try again.",
    });
  }

  return { request, quote, close: () => client?.close() };
}

function createClient(caPem: string): Deno.HttpClient {
  // Deno takes a PEM without a certificate, and then trusts nobody more.
  if (caPem.includes("-----BEGIN CERTIFICATE-----")) {
    try {
      return Deno.createHttpClient({ caCerts: [caPem] });
    } catch {
      // Deno's words quote the file.
    }
  }
  throw new AgentError("ACME", "ACME_CA_FILE can't be used: it holds no certificate.", {
    hint: "Put the CA's root into it, as PEM.",
  });
}

/** @returns undefined when it is too long */
async function readBody(response: Response): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response.body ?? []) {
    length += chunk.length;
    // Leaving the loop cancels the rest.
    if (length > MOST_BYTES) return undefined;
    chunks.push(chunk);
  }
  const body = new Uint8Array(length);
  chunks.reduce((at, chunk) => (body.set(chunk, at), at + chunk.length), 0);
  return body;
}

/** Deno's own words, without the URL and the layers of its HTTP client. */
function reason(cause: unknown): string {
  let error = cause;
  while (error instanceof Error && error.cause instanceof Error) error = error.cause;
  const message = error instanceof Error ? error.message : String(error);
  return message
    .replace(/^error sending request for url \(\S*\): /, "")
    .replace(/^Fetch failed: /, "")
    .replace(/^client error \(\w+\): /, "")
    .replace(/ \(os error \d+\)$/, "")
    .replace(/^\w+ connect error: |^dns error: /, "");
}
