/**
 * haproxy.cfg without its secrets: wherever a configuration has passwords, keys and tokens (configuration.txt: 3.4
 * userlists, `stats auth`, 2.3 environment variables, headers and parameters that authenticate, checks that log in,
 * converters with keys, credentials in URLs). A word more is hidden rather than one too few; what somebody hides in a
 * name of their own can't be known.
 */

const HIDDEN = "(hidden)";

/** A word as HAProxy reads it (configuration.txt 2.2): blanks in quotes, or behind a backslash, are part of it. */
interface Word {
  readonly start: number;
  readonly end: number;
  /** As it is written. */
  readonly raw: string;
}

/** The next word is secret, behind flags. */
const BEFORE_SECRET =
  /(^|[-_.])(http_auth_bearer|pass|passwd|password|passphrase|secret|psk|cookie-key|auth-key|api-key|apikey)$/i;
/** What such a header, cookie or parameter holds lets somebody in. */
const SENSITIVE = /auth|key|token|secret|cookie|pass|session|sig(nature)?$|credential/i;
const SETS_HEADER = /^(set|add|replace)-(header|value|cookie)$/i;
/** A fetch of a header, cookie or parameter, with its name. */
const FETCH = /(?:hdr|cook|urlp|url_param|var|body_param)\w*\(\s*["']?([^),"']*)/i;
const KEYED_CONVERTER =
  /\b(jwt_\w+|hmac|aes_\w+|secure_memcmp|http_auth_bearer)\((?:[^()]|\([^()]*\))*\)/gi;
const SENDS = /^(send|send-lf|send-binary|send-binary-lf|body|body-lf|comment-lf)$/i;
const ENDS_CONDITION = /^(if|unless|or|\|\||\}|\{)$/i;

export function hideSecrets(text: string): string {
  return text.split("\n").map(hideInLine).join("\n");
}

function hideInLine(line: string): string {
  const words = wordsOf(line);
  const hidden = new Set<number>();
  // What is commented out was in use once.
  const begin = Math.max(0, words.findIndex(({ raw }) => !/^(#+|no|default)$/i.test(raw)));
  const second = begin + 1;
  const first = words[begin]?.raw.replace(/^#+/, "").toLowerCase() ?? "";
  const isAllSecret = first === "setenv" || first === "presetenv" ||
    (first === "stats" && words[second]?.raw.toLowerCase() === "auth");
  if (isAllSecret) words.forEach((_, i) => i > second && hidden.add(i));
  /** What a fetch is compared with. Flags say how, not with what. */
  const hideOperands = (from: number, most = Infinity) => {
    for (let j = from, count = 0; j < words.length && count < most; j++) {
      if (ENDS_CONDITION.test(words[j].raw)) return;
      const isFlag = /^-/.test(words[j].raw) || words[j - 1].raw === "-m";
      if (isFlag) continue;
      hidden.add(j);
      count++;
    }
  };
  for (const [i, { raw }] of words.entries()) {
    if (BEFORE_SECRET.test(raw)) {
      if (words[i + 1]?.raw.startsWith("-")) hideOperands(i + 1, 1);
      else hidden.add(i + 1);
    }
    if (
      /^(tcp-check|http-check)$/.test(first) && SENDS.test(raw) &&
      !(first === "http-check" && i === second)
    ) {
      hidden.add(i + 1);
    }
    if (first === "http-check" && raw.toLowerCase() === "hdr") hidden.add(i + 2);
    if (SETS_HEADER.test(raw) && SENSITIVE.test(words[i + 1]?.raw ?? "")) {
      for (let j = i + 2; j < words.length && !ENDS_CONDITION.test(words[j].raw); j++) {
        hidden.add(j);
      }
    }
    if (SENSITIVE.test(FETCH.exec(raw)?.[1] ?? "")) hideOperands(i + 1);
  }
  return words.toReversed().reduce((shown, { start, end, raw }, i) => {
    const word = hidden.has(words.length - 1 - i) ? HIDDEN : withoutSecrets(raw);
    return shown.slice(0, start) + word + shown.slice(end);
  }, line);
}

/** Secrets inside of a word. */
function withoutSecrets(word: string): string {
  return word
    .replace(KEYED_CONVERTER, `$1(${HIDDEN})`)
    .replace(/\b(Basic|Bearer)([ \t]|\\ )+[^\s"')]+/gi, `$1 ${HIDDEN}`)
    .replace(/(:\/\/[^\s/:@]*:)[^\s/@]+@/g, `$1${HIDDEN}@`)
    .replace(
      /\b([\w-]*(?:auth|key|token|secret|passw?o?r?d?|session|sig|signature|credential)[\w-]*=)[^\s&"';,]+/gi,
      `$1${HIDDEN}`,
    );
}

function wordsOf(line: string): Word[] {
  const words: Word[] = [];
  const word = /(?:\\.|"(?:\\.|[^"\\])*"?|'[^']*'?|[^\s"'\\])+/g;
  for (const { 0: raw, index } of line.matchAll(word)) {
    words.push({ start: index, end: index + raw.length, raw });
  }
  return words;
}
