/** One HTTP/1.1 request with a Host header of the test's choice, which fetch does not allow. */
import { type IncomingMessage, request as send } from "node:http";

export interface RequestOptions {
  readonly port: number;
  /** The Host header as it is, port and odd spelling included. */
  readonly host: string;
  /** @default {"/"} */
  readonly path?: string;
  /** @default {"127.0.0.1"} */
  readonly address?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

/** On a connection of its own. Rejects when that fails or breaks. */
export function request(options: RequestOptions): Promise<Answer> {
  const { port, host, path = "/", address = "127.0.0.1", headers = {} } = options;
  return new Promise((resolve, reject) => {
    const take = (response: IncomingMessage) => {
      let body = "";
      response.setEncoding("utf8");
      response.on("data", (chunk) => body += chunk);
      response.on(
        "end",
        () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }),
      );
      response.on("error", reject);
    };
    const init = { host: address, port, path, headers: { ...headers, host }, agent: false };
    send(init, take).on("error", reject).end();
  });
}
