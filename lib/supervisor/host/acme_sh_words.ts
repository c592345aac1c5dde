/** What acme.sh says when it fails, as one sentence. */

/** Where the reasons end: what follows is advice, and the cleaning up. */
const ADVICE = /^(?:Please add '--debug'|Please check log file)/;
const NO_REASON = /^(?:See: |Please refer to )/;
const CURL = /^Please refer to \S*libcurl-errors\S* for error code: (\d+)$/;
const MAX_REASONS = 3;
const MAX_LENGTH = 400;

/**
 * The last reasons that acme.sh gave, joined; "" where it gave none.
 *
 * @param secrets never quoted
 */
export function acmeShReasons(
  { stdout, stderr }: { readonly stdout: string; readonly stderr: string },
  secrets: readonly string[],
): string {
  const reasons = readReasons(stderr);
  // What is no error in its eyes, it says on stdout: that it skips what is not due.
  const said = reasons.length > 0 ? reasons : readReasons(stdout).slice(-1);
  return hide([...new Set(said)].slice(-MAX_REASONS).join("; "), secrets).slice(0, MAX_LENGTH);
}

function readReasons(text: string): string[] {
  const lines = problemDetails(text).split("\n")
    .map((line) => printable(line).replace(/^\[[^\]]*\d{4}\] /, "").trim());
  const end = lines.findIndex((line) => ADVICE.test(line));
  return lines.slice(0, end < 0 ? undefined : end)
    .map((line) => line.replace(CURL, "curl ended with $1"))
    .filter((line) => line !== "" && !NO_REASON.test(line))
    .map((line) => line.replace(/[.;:]+$/, ""));
}

/** A problem document (RFC 7807) stands for its detail. */
const problemDetails = (text: string) =>
  text.replace(/\{[^{}]*"detail": *"([^"\n]*)"[^{}]*\}/g, "$1");

function hide(text: string, secrets: readonly string[]): string {
  return secrets.filter((secret) => secret.length > 3)
    .reduce((hidden, secret) => hidden.replaceAll(secret, "…"), text);
}

const printable = (line: string) => line.replace(/[^ -~\u00a0-\uffff]/g, " ");
