/** A request to /mcp on its way to the SDK. */
import { log } from "../../log.ts";
import { type Admitted, toAuthInfo } from "../access/principal.ts";

export interface HandedOn {
  /** A POST's body; undefined when it was not JSON. */
  readonly parsedBody?: unknown;
  readonly admitted: Admitted;
  /** Aborts when nobody is left to read the answer. */
  readonly gone: AbortSignal;
}

/** One that is being answered. */
export interface TakenOn extends HandedOn {
  /** The answer has ended, or its reader has left. May be called more than once. */
  release(): void;
}

/** How long an answer is held back until its end is known. */
export const HOLD_MS = 200;

export const toHandlers = ({ parsedBody, admitted }: HandedOn) => ({
  parsedBody,
  authInfo: toAuthInfo(admitted),
});

/** What the SDK refuses is the client's affair, and answered; an operator may want to see it. */
export const logRefusal = (error: Error) => log.debug(`MCP: ${error.message}`);
