/** Hands other than the agent's: files put in place, lines of domains.map, and the Runtime API behind its back. */
import { join } from "node:path";
import type { Haproxy } from "../../haproxy.ts";
import { openPki } from "../../pki.ts";
import type { Hand } from "./calls.ts";
import { domainOf } from "./site_model.ts";
import { fingerprintOf } from "./seen.ts";

export interface Pem {
  readonly text: string;
  readonly fingerprint: string;
}

/** By name, in the order of `PEMS`. */
export type PemStock = ReadonlyMap<string, readonly Pem[]>;

export async function makePems(names: readonly string[]): Promise<PemStock> {
  await using pki = await openPki();
  const make = async (name: string): Promise<Pem> => {
    const { pem } = await pki.issue([name]);
    return { text: pem, fingerprint: await fingerprintOf(pem) };
  };
  const wrong = await make("somebody-else.test");
  const pair = async (name: string) => [name, [await make(name), await make(name), wrong]] as const;
  return new Map(await Promise.all(names.map(pair)));
}

/** Written beside and renamed, as an editor does. */
export async function replaceFile(path: string, text: string, mode = 0o644): Promise<void> {
  await Deno.writeTextFile(`${path}.by-hand`, text, { mode });
  await Deno.rename(`${path}.by-hand`, path);
}

export const putPem = (root: string, domain: string, { text }: Pem): Promise<void> =>
  replaceFile(join(root, `certs/${domain}.pem`), text, 0o600);

/** The name of what may differ between disk and HAProxy afterwards, as haproxy_restore_state names it. */
export async function lendHand(
  haproxy: Haproxy,
  pems: PemStock,
  hand: Hand,
): Promise<string> {
  const { root, options: { map } } = haproxy;
  // Nobody hears it while HAProxy is away, and then nothing differs.
  const say = (command: string) => haproxy.runtime(command).catch(() => "");
  switch (hand.hand) {
    case "put PEM": {
      const { domain, which } = hand;
      await putPem(root, domain, pems.get(domain)![which]);
      return `${domain}.pem`;
    }
    case "weight":
      await say(`set server ${hand.server} weight ${hand.value}`);
      return hand.server.split("/")[1];
    case "state":
      await say(`set server ${hand.server} state ${hand.value}`);
      return hand.server.split("/")[1];
    case "map entry gone":
      await say(`del map ${map} ${hand.key}`);
      return domainOf(hand.key);
    case "map entry added":
      await say(`add map ${map} ${hand.key} ${hand.pool}`);
      return domainOf(hand.key);
    case "crt-list line gone":
      await say(
        `del ssl crt-list ${join(root, "certs/crt-list.txt")} ${
          join(root, `certs/${hand.domain}.pem`)
        }`,
      );
      return `${hand.domain}.pem`;
  }
}
