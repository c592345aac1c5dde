/** What doctor finds wrong in haproxy.cfg. */
import { withNoreuseport } from "../../support/edit_config.ts";
import { editConfig, testBreakages } from "../../support/doctor.ts";

testBreakages([
  {
    what: "haproxy.cfg has a word that HAProxy does not know",
    do: (haproxy) => editConfig(haproxy, (config) => `${config}    bogus 1\n`),
    wrong: ["haproxy-cfg: fault"],
    message: /HAProxy refuses \S+haproxy\.cfg.*haproxy\.cfg:\d+: unknown keyword 'bogus'/,
    remedy: /haproxy -c -f \S+haproxy\.cfg/,
  },
  {
    what: "haproxy.cfg can't be found",
    env: () => ({ HAPROXY_CONFIG_FILE: "/nowhere/haproxy.cfg" }),
    wrong: ["haproxy-cfg: fault", "config-read: warning"],
    message: /\/nowhere\/haproxy\.cfg can't be read: there is no such file/,
    remedy: /HAPROXY_CONFIG_FILE/,
  },
  {
    what: "haproxy.cfg was edited and not read since",
    do: async ({ configFile }) => {
      const later = Date.now() / 1000 + 2;
      await Deno.utime(configFile, later, later);
    },
    wrong: ["config-read: warning"],
    message: /haproxy\.cfg was edited after HAProxy read it/,
    remedy: /haproxy-mcp call haproxy_reload/,
  },
  {
    what: "libc stands in init-addr",
    do: (haproxy) =>
      editConfig(haproxy, (config) => config.replace("last,127.0.0.1", "last,libc,127.0.0.1")),
    wrong: ["init-addr: fault"],
    message: /^haproxy\.cfg, line \d+: init-addr last,libc,127\.0\.0\.1 has libc/,
    remedy: /init-addr last,127\.0\.0\.1/,
  },
  {
    what: "init-addr has no last",
    haproxy: { edit: (config) => config.replace("init-addr last,", "init-addr ") },
    wrong: ["init-addr: fault"],
    message: /lacks last: .* slots lose the address/,
    remedy: /init-addr last,127\.0\.0\.1/,
  },
  {
    what: "init-addr ends in none",
    haproxy: { edit: (config) => config.replace("last,127.0.0.1", "last,none") },
    about: "init-addr",
    wrong: ["sync: fault", "init-addr: fault"],
    message: /ends without an address/,
    remedy: /init-addr last,127\.0\.0\.1/,
  },
  {
    what: "haproxy.cfg names no state file",
    haproxy: { edit: (config) => config.replace(/^ *server-state-file .*$/m, "") },
    wrong: ["state-file: fault"],
    message: /names no server-state-file/,
    remedy: /`server-state-file \S+servers\.state`.*`load-server-state-from-file global`/,
  },
  {
    what: "haproxy.cfg does not load the state file",
    haproxy: { edit: (config) => config.replace("load-server-state-from-file global", "") },
    wrong: ["state-file: fault"],
    message: /pool_1 does not load the server-state-file/,
    remedy: /load-server-state-from-file global/,
  },
  {
    what: "HAProxy can't open the state file by its own spelling",
    haproxy: {
      edit: (config) =>
        config.replace(/server-state-file \S+/, "server-state-file /nowhere/servers.state"),
    },
    wrong: ["state-file: fault"],
    message: /ignored the state file: Can't open .*\/nowhere\/servers\.state/,
    remedy: /a folder has to be mounted/,
  },
  {
    what: "workers have no right to QUIC's port",
    do: (haproxy) =>
      editConfig(haproxy, (config) =>
        config.replace("global\n", "global\n    user nobody\n")
          .replace(/quic4@127\.0\.0\.1:\d+/, "quic4@127.0.0.1:443")),
    wrong: ["setcap: fault"],
    message: /workers run as nobody, who can't bind quic4@127\.0\.0\.1:443: every reload loses/,
    remedy: /setcap cap_net_bind_service/,
  },
  {
    what: "the Runtime API takes few connections",
    haproxy: { edit: (config) => config.replace(/^ *stats maxconn .*$/m, "") },
    wrong: ["stats-maxconn: warning"],
    message: /sets no stats maxconn: the Runtime API takes 10 connections/,
    remedy: /stats maxconn 50/,
  },
  {
    what: "HAProxy 3.0's master CLI is on a port, with noreuseport",
    haproxy: { version: "3.0" },
    do: (haproxy) => editConfig(haproxy, withNoreuseport),
    wrong: ["master-cli: warning"],
    message: /^haproxy\.cfg, line \d+: noreuseport, .*port, 127\.0\.0\.1:\d+: .*HAProxy 3\.0\./,
    remedy: /`-S \S+master\.sock,mode,600`.*take HAPROXY_MASTER out/,
  },
]);
