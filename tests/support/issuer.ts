/** An OAuth issuer on loopback: its metadata, its keys, and the tokens that it signs. */
import {
  exportJWK,
  exportSPKI,
  generateKeyPair,
  type JWTHeaderParameters,
  type JWTPayload,
  SignJWT,
} from "jose";

export const AUDIENCE = "https://mcp.example.com/mcp";

export interface IssuerOptions {
  /** Of its identifier, such as `/tenant`. */
  readonly path?: string;
  /** Where it has its metadata. */
  readonly metadata?: "oauth" | "openid";
  /** @default {"ES256"} */
  readonly alg?: string;
}

export interface Issuer extends AsyncDisposable {
  /** Its identifier. */
  readonly url: string;
  readonly keysUrl: string;
  /** The paths that it was asked for. */
  readonly requests: readonly string[];
  /** Laid over its metadata. */
  metadata: Record<string, unknown>;
  /** Answers in place of metadata and keys. */
  instead?: (path: string) => Response | Promise<Response> | undefined;
  /** A token that is right but for what is laid over its claims and its header; undefined leaves a claim out. */
  sign(claims?: JWTPayload, header?: Partial<JWTHeaderParameters>): Promise<string>;
  /** Of the key that it signs with, as PEM. */
  publicKey(): Promise<string>;
  /** Signs with a new key from now on, and lists it alone. */
  rotate(): Promise<void>;
  /** Nothing listens any more. */
  stop(): Promise<void>;
  /** Listens again, on the same port. */
  start(): void;
}

export async function startIssuer(
  { path = "", metadata = "oauth", alg = "ES256" }: IssuerOptions = {},
): Promise<Issuer> {
  const requests: string[] = [];
  let serial = 0;
  const newKey = async () => ({ ...await generateKeyPair(alg), kid: `key-${++serial}` });
  let key = await newKey();
  let port = 0;
  let server: Deno.HttpServer<Deno.NetAddr> | undefined;

  async function answer(path: string): Promise<Response> {
    requests.push(path);
    const instead = await issuer.instead?.(path);
    if (instead) return instead;
    if (path === metadataPath) {
      return Response.json({
        issuer: issuer.url,
        jwks_uri: issuer.keysUrl,
        ...issuer.metadata,
      });
    }
    if (path !== keysPath) return new Response(null, { status: 404 });
    const jwk = { ...await exportJWK(key.publicKey), kid: key.kid, alg, use: "sig" };
    return Response.json({ keys: [jwk] });
  }

  function listen() {
    server = Deno.serve(
      { hostname: "127.0.0.1", port, onListen() {} },
      async (request) => {
        const { body, status, headers } = await answer(new URL(request.url).pathname);
        // A connection that is kept would outlive the test.
        return new Response(body, { status, headers: [...headers, ["Connection", "close"]] });
      },
    );
    port = server.addr.port;
  }

  async function stop() {
    await server?.shutdown();
    server = undefined;
  }

  listen();
  const metadataPath = metadata === "oauth"
    ? `/.well-known/oauth-authorization-server${path.replace(/\/$/, "")}`
    : `${path.replace(/\/$/, "")}/.well-known/openid-configuration`;
  const keysPath = "/keys";
  const issuer: Issuer = {
    url: `http://127.0.0.1:${port}${path}`,
    keysUrl: `http://127.0.0.1:${port}${keysPath}`,
    requests,
    metadata: {},
    async sign(claims, header) {
      const now = Math.floor(Date.now() / 1000);
      const payload = {
        iss: issuer.url,
        aud: AUDIENCE,
        sub: "user-1",
        client_id: "client-1",
        iat: now,
        exp: now + 300,
        scope: "openid haproxy:read haproxy:write",
        ...claims,
      };
      return await new SignJWT(payload)
        .setProtectedHeader({ alg, kid: key.kid, typ: "at+jwt", ...header })
        .sign(key.privateKey);
    },
    publicKey: () => exportSPKI(key.publicKey),
    async rotate() {
      key = await newKey();
    },
    stop,
    start: listen,
    [Symbol.asyncDispose]: stop,
  };
  return issuer;
}

/** The settings that make the agent take its tokens. */
export const oauthEnv = (issuer: Issuer) => ({
  MCP_OAUTH_ISSUER: issuer.url,
  MCP_OAUTH_AUDIENCE: AUDIENCE,
});
