/** A request's body as text, within bounds of size and time. */
import { readRequestBody } from "@modelcontextprotocol/server";
import { drop } from "./drop.ts";
import type { RequestContext } from "./env.ts";
import { refuse } from "./refuse.ts";

const BODY_MS = 20_000;

/** The refusal where it is larger, late or broken. */
export async function readText(c: RequestContext, most: number): Promise<string | Response> {
  const body = await readBody(c, most);
  if (body === "late") return refuse(c, 408, "The body did not arrive in time. Send it again.");
  if (body === "broken") return refuse(c, 400, "The body broke off, or is no HTTP.");
  if (!body.tooLarge) return body.text;
  await drop(c.req.raw.body);
  return refuse(c, 413, `The body is larger than ${most} bytes. Send less at once.`);
}

/** A sender that is slow, or has gone, is not waited for. */
async function readBody({ req }: RequestContext, most: number) {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<"late">((resolve) => timer = setTimeout(() => resolve("late"), BODY_MS));
  // A length that is told and small is kept to by what reads HTTP: the body can be taken whole, at a quarter of the cost.
  // But of a body in chunks a Content-Length beside them says nothing (RFC 9112, 6.3).
  const isSmall = req.header("transfer-encoding") === undefined &&
    Number(req.header("content-length") ?? Infinity) <= most;
  const read = isSmall
    ? req.raw.text().then((text) => ({ tooLarge: false as const, text }))
    : readRequestBody(req.raw, most);
  const body = read.catch((): "broken" => "broken");
  try {
    return await Promise.race([body, late]);
  } finally {
    clearTimeout(timer);
  }
}
