/** What doctor finds wrong with HAProxy as it runs. */
import { testBreakages } from "../../support/doctor.ts";
import { haproxyBinary } from "../../support/haproxy.ts";
import { freePort } from "../../support/ports.ts";
import { withoutNoreuseport } from "../../support/edit_config.ts";
import { startRival } from "../../support/rival.ts";

testBreakages([
  {
    what: "HAProxy is stopped",
    do: (haproxy) => haproxy.stop(),
    wrong: ["runtime-api: fault"],
    message: /Runtime API at 127\.0\.0\.1:\d+ can't be reached/,
    remedy: /Start HAProxy.*haproxy -W -S .*master\.sock,mode,600 -f .*haproxy\.cfg/,
  },
  {
    what: "HAPROXY_PORT names a port that haproxy.cfg does not have",
    env: () => ({ HAPROXY_PORT: String(freePort()) }),
    wrong: ["runtime-api: fault"],
    message: /can't be reached/,
    remedy: /haproxy\.cfg has no Runtime API on port \d+: put `stats socket ipv4@127\.0\.0\.1/,
  },
  {
    what: "two HAProxys share the port",
    haproxy: { edit: withoutNoreuseport },
    do: (haproxy) => startRival(haproxy),
    wrong: ["one-haproxy: fault"],
    message: /2 HAProxys share 127\.0\.0\.1:\d+: process \d+ .* and process \d+/,
    remedy: /ss -ltnp 'sport = :\d+'/,
  },
  {
    what: "the Runtime API is at operator level",
    haproxy: { edit: (config) => config.replace("level admin", "level operator") },
    wrong: ["admin-level: fault"],
    message: /at level operator, which may change nothing/,
    remedy: /`level admin` behind the `stats socket`/,
  },
  {
    what: "another version is installed than runs",
    env: () => ({ HAPROXY_BINARY: haproxyBinary("3.4") }),
    wrong: ["version: warning"],
    message: /HAProxy 3\.2\.\S+ runs, and \S+haproxy is 3\.4/,
    remedy: /Restart HAProxy/,
  },
  {
    what: "haproxy.cfg uses another map",
    haproxy: {
      edit: (config) => config.replaceAll(/map_str\(\S+?\)/g, "map_str(virt@others.map)"),
    },
    wrong: ["domain-map: fault"],
    message: /HAProxy uses no map domains\.map; it has virt@others\.map/,
    remedy: /HAPROXY_MAP_NAME/,
  },
  {
    what: "haproxy.cfg spells the map in two ways",
    haproxy: { edit: (config) => config.replace("/conf/domains.map)", "/./conf/domains.map)") },
    wrong: ["domain-map: fault"],
    message: /2 maps by this name/,
    remedy: /Spell the path alike/,
  },
  {
    what: "haproxy.cfg uses a single certificate and no crt-list",
    haproxy: {
      edit: (config) => config.replaceAll(/crt-list (\S+)crt-list\.txt/g, "crt $1default.pem"),
    },
    wrong: ["crt-list: fault"],
    message: /HAProxy uses no crt-list crt-list\.txt; it has none/,
    remedy: /ssl crt-list \S+crt-list\.txt/,
  },
  {
    what: "the settings promise more pools than haproxy.cfg has",
    env: () => ({ HAPROXY_POOL_COUNT: "3" }),
    wrong: ["pools: fault"],
    message: /lacks 3 of the 9 slots .*HAPROXY_POOL_COUNT=3.*: pool_3_1, pool_3_2, pool_3_3$/,
    remedy: /reload/,
  },
  {
    what: "the settings promise more slots than haproxy.cfg has",
    env: () => ({ HAPROXY_MAX_SLOTS: "4" }),
    wrong: ["pools: fault"],
    message: /lacks 2 of the 8 slots .*pool_1_4, pool_2_4$/,
    remedy: /correct the two settings/,
  },
  {
    what: "slots have an address in haproxy.cfg, as the original's had",
    haproxy: { edit: (config) => config.replaceAll("slot.invalid:1", "0.0.0.0:80") },
    wrong: ["slot-addresses: fault"],
    message: /6 slots \(pool_1_1, …\) with an address in haproxy\.cfg: at the next start .* lose/,
    remedy: /slot\.invalid:1 disabled/,
  },
  {
    what: "HAProxy may open few files",
    haproxy: { maxOpenFiles: 400 },
    wrong: ["connections: warning"],
    message: /HAProxy takes 1\d\d connections at most, of \d{3} open files/,
    remedy: /LimitNOFILE/,
  },
  {
    what: "a domain leads to a backend that is not there",
    haproxy: { domains: "a.test pool_999\n" },
    wrong: ["routes: fault"],
    message: /mapped to a backend that HAProxy does not have: a\.test/,
    remedy: /haproxy_remove_domain/,
  },
  {
    what: "somebody has changed HAProxy by hand",
    do: async ({ runtime }) => void await runtime("set server pool_1/pool_1_2 weight 9"),
    wrong: ["sync: fault"],
    message: /does not hold what the files say: 1 server differs \(pool_1_2\)/,
    remedy: /haproxy-mcp call haproxy_restore_state/,
  },
]);
