/** Fuzz: each of the Runtime API's commands, given anything, is refused or is exactly one command to a real HAProxy. */
import { dirname } from "node:path";
import fc from "fast-check";
import { paths } from "../../lib/init/options.ts";
import { selfSignedPem } from "../../lib/init/self_signed.ts";
import * as commands from "../../lib/runtime/commands.ts";
import { SERVER_STATES, type ServerState } from "../../lib/names/server.ts";
import { type Attempt, eachIsOneCommand, startMarked } from "../support/evidence/one_command.ts";
import { type Haproxy, HAPROXY_VERSIONS } from "../support/haproxy.ts";

/** What makes two commands of one, or none, where it gets through. */
const BREAKING = [
  "",
  " ",
  "\n",
  "\r",
  "\r\n",
  "\t",
  "\0",
  ";",
  "\\",
  "\\\n",
  '"',
  "'",
  "<<",
  " <<",
  " <<\n",
  "<<%END%",
  "%END%",
  "#",
  "*",
  "[",
  "]",
  "!",
  "@1",
  "@@1",
  "$HOME",
  "\u00a0",
  "\u2028",
  "\ufeff",
  "é",
  "\nquit\n",
  ";quit",
  " ; quit",
  "; help",
  ";show info",
  "\nshow info\n",
];

/** A word that is right, or has something put in somewhere, or is noise. */
function near(...right: readonly string[]): fc.Arbitrary<string> {
  const whole = fc.constantFrom(...right);
  const broken = fc.tuple(
    whole,
    fc.constantFrom(...BREAKING),
    fc.double({ min: 0, max: 1, noNaN: true }),
  )
    .map(([word, piece, at]) => {
      const place = Math.round(at * word.length);
      return word.slice(0, place) + piece + word.slice(place);
    });
  return fc.oneof(
    { weight: 5, arbitrary: whole },
    { weight: 3, arbitrary: broken },
    { weight: 2, arbitrary: fc.stringMatching(/^[!-~]{1,16}$/) },
    { weight: 1, arbitrary: fc.string({ unit: "binary", maxLength: 12 }) },
    { weight: 1, arbitrary: fc.constantFrom(...BREAKING) },
  );
}

const number = (...right: readonly number[]) =>
  fc.oneof(
    fc.constantFrom(...right),
    fc.constantFrom(-1, 0.5, NaN, Infinity, 1e21, 65_536, 2 ** 53, -0),
    fc.integer(),
  );

type CommandName = Exclude<
  keyof typeof commands,
  "isMapWord" | "isCertificateName" | "isCrtListWord" | "repeatedStoreOption"
>;

/** For every function of lib/runtime/commands.ts what it may be given. */
function attempts(haproxy: Haproxy, pem: string): Record<CommandName, fc.Arbitrary<Attempt>> {
  const { map } = haproxy.options;
  const { crtList, defaultCertificate } = paths(haproxy.root);
  const folder = dirname(crtList);
  const maps = near(map, "#0", "#-1", "/no/map");
  const key = near("a.test", ".a.test", "gone.test");
  const backend = near("pool_1", "pool_2", "nosuch", "0", "#1");
  const server = near("pool_1_1", "pool_1_2", "nosuch", "0");
  const lists = near(crtList, "/no/list");
  // Not HAProxy's own: without it nothing could be added any more.
  const certificate = near(`${folder}/a.pem`, `${folder}/b.pem`, "/no.pem", "c.pem");
  const words = fc.array(near("alpn", "h2", "verify", "none", "ssl-min-ver", "TLSv1.2"), {
    maxLength: 4,
  });
  const filters = fc.array(near("a.test", "*.a.test", "!b.a.test"), { maxLength: 4 });
  const entry = fc.record({ path: certificate, options: words, filters });
  const pems = fc.oneof(
    fc.constant(pem),
    fc.array(near(...pem.trim().split("\n"), "-----BEGIN X-----", "%END%", "quit"), {
      maxLength: 6,
    }).map((lines) => `${lines.join("\n")}\n`),
  );
  const none = (make: Attempt) => fc.constant(make);
  const one = (arbitrary: fc.Arbitrary<string>, make: (word: string) => Attempt) =>
    arbitrary.map(make);
  const atServer = fc.tuple(backend, server);
  return {
    showInfo: none(commands.showInfo),
    showCliLevel: none(commands.showCliLevel),
    showStartupLogs: none(commands.showStartupLogs),
    showActivity: none(commands.showActivity),
    showMaps: none(commands.showMaps),
    showMap: one(maps, (name) => () => commands.showMap(name)),
    getMap: fc.tuple(maps, key).map((all) => () => commands.getMap(...all)),
    addMap: fc.tuple(maps, key, backend).map((all) => () => commands.addMap(...all)),
    setMap: fc.tuple(maps, key, backend).map((all) => () => commands.setMap(...all)),
    delMap: fc.tuple(maps, key).map((all) => () => commands.delMap(...all)),
    showServersState: fc.option(backend, { nil: undefined })
      .map((name) => () => commands.showServersState(name)),
    showServerStat: one(backend, (name) => () => commands.showServerStat(name)),
    showOneBackendStat: one(backend, (name) => () => commands.showOneBackendStat(name)),
    showBackendStat: none(commands.showBackendStat),
    showProxyStat: none(commands.showProxyStat),
    showFrontendStat: none(commands.showFrontendStat),
    setServerAddress: fc.tuple(
      backend,
      server,
      near("10.0.0.1", "2001:db8::1", "::ffff:10.0.0.1", "fe80::1%eth0", "localhost"),
      number(80, 1, 65_535),
    ).map((all) => () => commands.setServerAddress(...all)),
    setServerState: fc.tuple(
      backend,
      server,
      near(...SERVER_STATES) as fc.Arbitrary<ServerState>,
    ).map((all) => () => commands.setServerState(...all)),
    setServerWeight: fc.tuple(backend, server, number(0, 1, 256))
      .map((all) => () => commands.setServerWeight(...all)),
    setServerHealthUp: atServer.map((all) => () => commands.setServerHealthUp(...all)),
    showCertificates: none(commands.showCertificates),
    showCertificate: one(certificate, (name) => () => commands.showCertificate(name)),
    showPendingCertificate: one(certificate, (name) => () => commands.showPendingCertificate(name)),
    newCertificate: one(certificate, (name) => () => commands.newCertificate(name)),
    setCertificate: fc.tuple(certificate, pems).map((all) => () => commands.setCertificate(...all)),
    commitCertificate: one(certificate, (name) => () => commands.commitCertificate(name)),
    abortCertificate: one(certificate, (name) => () => commands.abortCertificate(name)),
    delCertificate: one(certificate, (name) => () => commands.delCertificate(name)),
    showCrtLists: none(commands.showCrtLists),
    showCrtList: one(lists, (name) => () => commands.showCrtList(name)),
    addToCrtList: fc.tuple(lists, entry).map((all) => () => commands.addToCrtList(...all)),
    delFromCrtList: fc.tuple(
      lists,
      near(`${folder}/a.pem`, defaultCertificate, "/no.pem"),
      fc.option(number(1, 2), { nil: undefined }),
    ).map((all) => () => commands.delFromCrtList(...all)),
  };
}

for (const version of HAPROXY_VERSIONS) {
  Deno.test(`${version}: every command of the Runtime API, given anything, is refused or is one command`, async () => {
    await using haproxy = await startMarked(version);
    await eachIsOneCommand(
      haproxy,
      { row: `commands, HAProxy ${version}`, inputs: 6_000, taken: 0.3 },
      fc.oneof(...Object.values(attempts(haproxy, await selfSignedPem()))),
    );
  });
}
