/** One HTTP/2 request over TLS, whatever the certificate says. Needs --allow-env and --allow-sys=ca: node:tls asks for its CAs' places. */
import { connect } from "node:http2";
import type { Answer, RequestOptions } from "./request.ts";

export interface Http2Answer extends Answer {
  /** What ALPN agreed on: `h2`. */
  readonly protocol: string;
}

/** On a connection of its own. Rejects when that fails or breaks. */
export async function requestHttp2(options: RequestOptions): Promise<Http2Answer> {
  const { port, host, path = "/", address = "127.0.0.1", headers = {} } = options;
  const session = connect(`https://${address}:${port}`, { rejectUnauthorized: false });
  try {
    return await new Promise((resolve, reject) => {
      session.on("error", reject);
      const stream = session.request({ ...headers, ":path": path, ":authority": host });
      let answer: Pick<Answer, "status" | "headers"> | undefined;
      let body = "";
      stream.setEncoding("utf8");
      stream.on("response", ({ ":status": status = 0, ...fields }) => {
        answer = { status, headers: fields };
      });
      stream.on("data", (chunk) => body += chunk);
      stream.on("error", reject);
      stream.on("close", () => {
        // A stream that was cut off ends like a complete one, but for its code.
        if (!answer || stream.rstCode !== 0) {
          return reject(new Error(`the stream ended early (code ${stream.rstCode})`));
        }
        resolve({ ...answer, body, protocol: session.alpnProtocol ?? "" });
      });
      stream.end();
    });
  } finally {
    session.destroy();
  }
}
