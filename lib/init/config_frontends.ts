/** haproxy.cfg's frontends: where HAProxy listens, and how a request finds its pool. */
import { hostPort, type InitOptions, paths } from "./options.ts";

export function frontends(options: InitOptions): string {
  return `${http(options)}\n\n${https(options)}`;
}

function http(options: InitOptions): string {
  const { bind, httpPort, httpsPort, mcp } = options;
  const redirect = mcp && `\
    # The agent never answers in the clear: requests to it carry a token.
    http-request redirect prefix ${httpsUrl(mcp.host, httpsPort)} code 308 if ${hostIs(mcp.host)}`;
  return `\
# Serves too, without a redirect: a domain works before it has a certificate. Once all have one:
#    http-request redirect scheme https code 308
frontend fe_http
${bind.map((address) => `    bind ${listen(address, httpPort)}`).join("\n")}
    option httplog
${forwarded("http")}

${pool(options)}${line(redirect)}
${choice()}`;
}

function https(options: InitOptions): string {
  const { root, bind, httpsPort, mcp } = options;
  const { crtList } = paths(root);
  const agent = mcp && `    use_backend be_mcp if ${hostIs(mcp.host)}`;
  const tcp = bind.map((address) =>
    `    bind ${listen(address, httpsPort)} ssl crt-list ${crtList} alpn h2,http/1.1`
  );
  const quic = bind.map((address) => {
    const family = address.includes(":") ? "quic6" : "quic4";
    return `    bind ${family}@${listen(address, httpsPort)} ssl crt-list ${crtList} alpn h3`;
  });
  return `\
# alpn stands here and never in the crt-list: there it would end HTTP/3 for that certificate.
frontend fe_https
${tcp.join("\n")}
# HTTP/3, where the TLS library has QUIC of its own (the compatibility layer is not dependable).
.if feature(QUIC) && !feature(QUIC_OPENSSL_COMPAT)
${quic.join("\n")}
    http-after-response set-header alt-svc 'h3=":${httpsPort}"; ma=3600'
.endif
    option httpslog
${forwarded("https")}

${pool(options)}${line(agent)}
${choice()}`;
}

function forwarded(scheme: "http" | "https"): string {
  return `\
    http-request capture req.hdr(host) len 128

    # What a client says about itself is dropped: servers believe these.
    http-request del-header x-forwarded- -m beg
    http-request del-header forwarded
    http-request del-header x-real-ip
    http-request set-header x-forwarded-proto ${scheme}
    http-request set-header x-forwarded-host %[req.hdr(host)]`;
}

function pool({ map }: InitOptions): string {
  return `\
    # The map is looked up twice: the name as it is, then with its first label cut ('.example.com' is
    # the key of *.example.com). Both are tree look-ups, and the exact name wins.
    http-request set-var(txn.host) req.hdr(host),host_only,lower,rtrim(.)
    http-request set-var(txn.pool) var(txn.host),map_str(${map})
    http-request set-var(txn.pool) var(txn.host),regsub(^[^.]*,,),map_str(${map}) if !{ var(txn.pool) -m found }`;
}

function choice(): string {
  return `\
    use_backend %[var(txn.pool)] if { var(txn.pool) -m found }
    default_backend be_unknown_host`;
}

function hostIs(host: string): string {
  return `{ var(txn.host) -m str ${host} }`;
}

function line(text: string | undefined): string {
  return text === undefined ? "" : `\n${text}`;
}

/** A bind address; v6 ones leave v4 to the line beside them, so that the two never collide. */
function listen(address: string, port: number): string {
  return hostPort(address, port) + (address.includes(":") ? " v6only" : "");
}

function httpsUrl(host: string, port: number): string {
  return port === 443 ? `https://${host}` : `https://${host}:${port}`;
}
