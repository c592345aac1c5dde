/** What goes with a request on its way through the guards to its route. */
import type { Context } from "hono";
import type { Principal } from "./access/principal.ts";
import type { Client } from "./connections.ts";

export interface Env {
  Bindings: Client;
  Variables: {
    readonly requestId: string;
    readonly principal: Principal;
    readonly metadataUrl?: string;
    /** How a browser says who it is on the status page: by the form at this moment, or by the cookie since then. */
    readonly signedInBy?: "form" | "cookie";
  };
}

export type RequestContext = Context<Env>;
