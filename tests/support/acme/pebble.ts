/**
 * A real Pebble with its DNS server, both on free ports of the loopback, ended with the test's process.
 *
 * Needs --allow-env=PEBBLE,PEBBLE_CHALLTESTSRV,PEBBLE_2_4,PEBBLE_2_4_CHALLTESTSRV (paths of the binaries),
 * --allow-run=sh, --allow-net and --allow-read/--allow-write of the temporary folder.
 */
import { join } from "node:path";
import { eventually } from "../eventually.ts";
import { LEASH } from "../leash.ts";
import { freePort } from "../ports.ts";

/** `ari`: the newest one, with renewal information and profiles; `2.4` has neither. */
export const PEBBLES = ["ari", "2.4"] as const;
export type PebbleVersion = typeof PEBBLES[number];

export interface PebbleOptions {
  readonly version: PebbleVersion;
  /** Holds ca.pem, leaf.pem and leaf.key; configuration and log go there, too. */
  readonly folder: string;
  /** Talks to Pebble's listeners. */
  readonly client: Deno.HttpClient;
  readonly eab?: { readonly kid: string; readonly hmacKey: string };
  /** How many of a hundred good nonces are refused. */
  readonly nonceReject: number;
  /** How many of a hundred orders find the domain proved already. */
  readonly authzReuse: number;
  /** Seconds that a certificate lives. */
  readonly validity?: number;
}

export interface Pebble extends AsyncDisposable {
  readonly directory: string;
  readonly dnsServer: string;
  readonly pids: readonly number[];
  /** PEM of the root that it made at this start. */
  root(): Promise<string>;
  /** What renewalInfo answers of a certificate from now on; not with 2.4. */
  setRenewalInfo(certificate: string, answer: unknown): Promise<void>;
  /** One more value, or none at all, of a TXT record. */
  setTxt(host: string, value: string): Promise<void>;
  clearTxt(host: string): Promise<void>;
  logs(): Promise<string>;
}

const ATTEMPTS = 5;
const START_MS = 30_000;
/** The resolver waits 15 s for the answer to a question that came before the server listened. */
const LOOKUP_MS = 1_000;

/** The shell becomes the program; its output goes straight to the file and not through the test. */
const LAUNCHER = `
log=$0
${LEASH}
exec "$@" >>"$log" 2>&1 </dev/null`;

interface Child extends AsyncDisposable {
  readonly pid: number;
  exited: boolean;
}

function launch(log: string, command: readonly string[], env: Record<string, string>): Child {
  const process = new Deno.Command("sh", {
    args: ["-c", LAUNCHER, log, ...command],
    env,
    stdin: "piped",
  }).spawn();
  const exit = process.status.then(async () => {
    child.exited = true;
    await process.stdin.close();
  });
  const child: Child = {
    pid: process.pid,
    exited: false,
    async [Symbol.asyncDispose]() {
      if (!child.exited) process.kill("SIGKILL");
      await exit;
    },
  };
  return child;
}

export async function startPebble(options: PebbleOptions): Promise<Pebble> {
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    const pebble = await tryPebble(options);
    if (pebble) return pebble;
  }
  throw new Error(`Pebble ${options.version}: ports lost ${ATTEMPTS} times`);
}

/** @returns undefined when a port was lost to somebody else */
async function tryPebble(options: PebbleOptions): Promise<Pebble | undefined> {
  const { folder, client, version, eab, validity } = options;
  const [dns, dnsControl, acme, management] = Array.from({ length: 4 }, freePort);
  const log = join(folder, "pebble.log"), config = join(folder, "pebble.json");
  const logs = () => Deno.readTextFile(log).catch(() => "");
  await Deno.writeTextFile(log, "");
  await Deno.writeTextFile(
    config,
    JSON.stringify({
      pebble: {
        listenAddress: `127.0.0.1:${acme}`,
        managementListenAddress: `127.0.0.1:${management}`,
        certificate: join(folder, "leaf.pem"),
        privateKey: join(folder, "leaf.key"),
        httpPort: 5002,
        tlsPort: 5001,
        ocspResponderURL: "",
        retryAfter: { authz: 1, order: 1 },
        externalAccountBindingRequired: eab !== undefined,
        ...eab && { externalAccountMACKeys: { [eab.kid]: eab.hmacKey } },
        ...validity && {
          certificateValidityPeriod: validity, // up to 2.6
          profiles: { default: { description: "the rig's", validityPeriod: validity } },
        },
      },
    }),
  );
  const listen = version === "2.4"
    ? ["-dns01", `127.0.0.1:${dns}`]
    : ["-dnsserver", `127.0.0.1:${dns}`, "-doh", ""];
  const names = launch(log, [
    binary(version, "_CHALLTESTSRV"),
    ...listen,
    ...["-management", `127.0.0.1:${dnsControl}`],
    ...["-http01", "", "-https01", "", "-tlsalpn01", ""],
  ], {});
  const ca = launch(
    log,
    [binary(version, ""), "-config", config, "-dnsserver", `127.0.0.1:${dns}`],
    {
      PEBBLE_VA_NOSLEEP: "1",
      PEBBLE_WFE_NONCEREJECT: String(options.nonceReject),
      PEBBLE_AUTHZREUSE: String(options.authzReuse),
    },
  );

  const directory = `https://localhost:${acme}/dir`;
  async function post(url: string, body: unknown): Promise<void> {
    const response = await fetch(url, { method: "POST", body: JSON.stringify(body), client });
    const text = await response.text();
    if (!response.ok) throw new Error(`${url}: ${response.status} ${text}`);
  }
  const control = (path: string, body: unknown) =>
    post(`http://127.0.0.1:${dnsControl}/${path}`, body);
  const pebble: Pebble = {
    directory,
    dnsServer: `127.0.0.1:${dns}`,
    pids: [names.pid, ca.pid],
    async root() {
      return await (await fetch(`https://localhost:${management}/roots/0`, { client })).text();
    },
    async setRenewalInfo(certificate, answer) {
      await post(`https://localhost:${management}/set-renewal-info/`, {
        Certificate: certificate,
        ARIResponse: JSON.stringify(answer),
      });
    },
    setTxt: (host, value) => control("set-txt", { host: `${host}.`, value }),
    clearTxt: (host) => control("clear-txt", { host: `${host}.` }),
    logs,
    async [Symbol.asyncDispose]() {
      await names[Symbol.asyncDispose]();
      await ca[Symbol.asyncDispose]();
    },
  };

  // What only ours knows tells it from a stranger on the same port.
  const probe = crypto.randomUUID();
  let isProbeSet = false;
  async function answers(): Promise<boolean> {
    if (names.exited || ca.exited) return true;
    try {
      // Each call adds a record, and an answer with many of them is cut off.
      if (!isProbeSet) await pebble.setTxt("probe.rig", probe);
      isProbeSet = true;
      const signal = AbortSignal.timeout(LOOKUP_MS);
      const [[value]] = await lookUpTxt(pebble.dnsServer, "probe.rig", signal);
      await (await fetch(directory, { client })).body?.cancel();
      return value === probe;
    } catch {
      return false;
    }
  }
  try {
    await eventually(answers, START_MS).catch(async (cause) => {
      throw new Error(`Pebble ${version} does not answer:\n${await logs()}`, { cause });
    });
    if (!names.exited && !ca.exited) {
      await pebble.clearTxt("probe.rig");
      return pebble;
    }
    const text = await logs();
    if (!/address already in use/i.test(text)) {
      throw new Error(`Pebble ${version} did not start:\n${text}`);
    }
  } catch (error) {
    await pebble[Symbol.asyncDispose]();
    throw error;
  }
  await pebble[Symbol.asyncDispose]();
  return undefined;
}

/** A TXT record's values at one server, each in its character strings; none is an empty list. */
export async function lookUpTxt(
  server: string,
  name: string,
  signal?: AbortSignal,
): Promise<string[][]> {
  const [ipAddr, port] = server.split(":");
  const nameServer = { ipAddr, port: Number(port) };
  try {
    return await Deno.resolveDns(name, "TXT", { nameServer, signal });
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

function binary(version: PebbleVersion, suffix: "" | "_CHALLTESTSRV"): string {
  const variable = `PEBBLE${version === "2.4" ? "_2_4" : ""}${suffix}`;
  const path = Deno.env.get(variable);
  if (!path) throw new Error(`${variable} is not set: run the tests by scripts/test.sh`);
  return path;
}
