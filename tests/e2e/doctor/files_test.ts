/** What doctor finds wrong under HAPROXY_ROOT. */
import { makePipe } from "../../support/pipe.ts";
import { rewrite, testBreakages, under } from "../../support/doctor.ts";

const isRoot = Deno.uid() === 0;

testBreakages([
  {
    what: "HAPROXY_ROOT is not there",
    env: () => ({ HAPROXY_ROOT: "/nowhere-at-all" }),
    // HAProxy's own file is there: it tells about itself.
    about: "root",
    wrong: ["config-read: warning", "root: fault"],
    message: /HAPROXY_ROOT=\/nowhere-at-all can't be used: there is no such folder/,
    remedy: /haproxy-mcp init --root \/nowhere-at-all/,
  },
  {
    what: "a symlink leads out of the root",
    do: (haproxy) => Deno.symlink("/etc/passwd", under(haproxy, "data/link")),
    wrong: ["links: fault"],
    message: /a symlink leads out of the root, or nowhere: \S+data\/link/,
    remedy: /neither serve nor call starts/,
  },
  {
    what: "a file belongs to another user than the agent",
    ignore: !isRoot,
    do: async (haproxy) => {
      for (const path of ["conf", "certs", "data", "data/journal", "conf/domains.map"]) {
        await Deno.chown(under(haproxy, path), 12345, 12345);
      }
    },
    wrong: ["access: fault"],
    message: /servers\.json \(user 0\)|\(user 0\).* not belong to user 12345/,
    remedy: /chown 12345 \S+\/(conf|certs)\//,
  },
  {
    what: "a file can't be written by this user",
    ignore: isRoot,
    do: (haproxy) => Deno.chmod(under(haproxy, "conf/domains.map"), 0o400),
    wrong: ["access: fault"],
    message: /user \d+ can't write \S+domains\.map/,
    remedy: /chown \d+ \S+domains\.map; where install\.sh was used/,
  },
  {
    what: "everybody may write the map",
    do: (haproxy) => Deno.chmod(under(haproxy, "conf/domains.map"), 0o666),
    wrong: ["strangers: fault"],
    message: /every user of this machine may write \S+domains\.map/,
    remedy: /chmod o-w/,
  },
  {
    what: "a line of domains.map is broken",
    do: (haproxy) => Deno.writeTextFile(under(haproxy, "conf/domains.map"), "nonsense\n"),
    wrong: ["desired-state: fault"],
    message: /domains\.map, line 1: "nonsense" is not an entry/,
    remedy: /example\.com pool_5/,
  },
  {
    what: "one line of servers.state is bad, so that HAProxy ignores it whole",
    do: (haproxy) => rewrite(under(haproxy, "conf/servers.state"), (text) => `${text}0 pool_1\n`),
    wrong: ["servers-state: fault"],
    message: /servers\.state: line \d+ is no server's, and so HAProxy ignores the whole file/,
    remedy: /haproxy_restore_state/,
  },
  {
    what: "servers.state was bad when HAProxy started, and is still",
    haproxy: { state: "1\r\n" },
    wrong: ["state-file: fault", "servers-state: fault"],
    message: /ignored the state file: Can't get version/,
    remedy: /reload/,
  },
  {
    what: "a change was cut off",
    do: async (haproxy) => {
      const change = { kind: "map", key: "a.test", before: null, after: "pool_1" };
      await Deno.writeTextFile(
        under(haproxy, "data/journal/changes.jsonl"),
        `${
          JSON.stringify({ t: "change", seq: 1, tool: "haproxy_add_domain", changes: [change] })
        }\n`,
      );
    },
    wrong: ["journal: warning"],
    message: /1 change was cut off and not finished yet: haproxy_add_domain/,
    remedy: /haproxy_restore_state/,
  },
  {
    what: "a certificate's change was cut off",
    do: async (haproxy) => {
      const pem = under(haproxy, "certs/a.test.pem");
      const entry = { tool: "haproxy_load_cert", todo: "carry out", file: pem, path: pem };
      await Deno.writeTextFile(
        under(haproxy, "data/journal/certificate.json"),
        `${JSON.stringify({ ...entry, listed: null, pem: null })}\n`,
      );
    },
    wrong: ["journal: warning"],
    message: /1 change was cut off and not finished yet: haproxy_load_cert/,
    remedy: /haproxy_restore_state/,
  },
  {
    what: "a restore was cut off",
    do: (haproxy) =>
      Deno.writeTextFile(under(haproxy, "data/journal/restore.json"), '{"files":[]}\n'),
    wrong: ["journal: fault"],
    message: /a restore was cut off: some files are the backup's/,
    remedy: /haproxy-mcp call haproxy_list_domains\. .*haproxy_restore_state/,
  },
  {
    what: "somebody holds the lock",
    do: async (haproxy) => {
      const lock = await Deno.open(under(haproxy, "data/lock"), { create: true, write: true });
      await lock.write(new TextEncoder().encode('{"pid":4711,"room":1}\n'));
      await lock.lock(true);
      return { [Symbol.asyncDispose]: () => Promise.resolve(lock.close()) };
    },
    wrong: ["locks: fault"],
    message: /data\/lock was held for 3 s by process 4711/,
    remedy: /fuser \S+data\/lock/,
  },
  {
    what: "others may read the token file",
    do: (haproxy) =>
      Deno.writeTextFile(under(haproxy, "conf/mcp-token.env"), "MCP_TOKEN=x\n", { mode: 0o644 }),
    wrong: ["token-file: fault"],
    message: /MCP_TOKEN_FILE="\S+" is not usable: .*it has 644/,
    remedy: /chmod 600/,
  },
  {
    what: "root has made the token file, and the agent is another user",
    ignore: !isRoot,
    do: async (haproxy) => {
      await Deno.writeTextFile(under(haproxy, "conf/mcp-token.env"), "MCP_TOKEN=x\n", {
        mode: 0o600,
      });
      await new Deno.Command("chown", {
        args: ["-R", "12345", ...["conf", "certs", "data"].map((path) => under(haproxy, path))],
      }).output();
      await Deno.chown(under(haproxy, "conf/mcp-token.env"), 0, 0);
    },
    wrong: ["token-file: fault"],
    message: /mcp-token\.env belongs to user 0, .* not to user 12345, as data\/ does/,
    remedy: /chown 12345 \S+mcp-token\.env; where install\.sh was used/,
  },
  {
    what: "a pipe is in the token file's place",
    do: (haproxy) => makePipe(under(haproxy, "conf/mcp-token.env"), "MCP_TOKEN=x\n"),
    wrong: ["token-file: fault"],
    message: /MCP_TOKEN_FILE="\S+" is not usable: .*\(it is not a file\)/,
    remedy: /serve makes a new one/,
  },
  {
    what: "a pipe is in the settings file's place",
    do: (haproxy) => makePipe(under(haproxy, "conf/haproxy-mcp.env"), "LOG_LEVEL=DEBUG\n"),
    wrong: ["settings-file: fault"],
    message: /haproxy-mcp\.env can't be used: it is not a file/,
    remedy: /the unit would not start/,
  },
  {
    what: "the unit has other settings than doctor, which does not trust the file of another user",
    ignore: !isRoot,
    do: async (haproxy) => {
      const file = under(haproxy, "conf/haproxy-mcp.env");
      const text = '# The unit\'s.\nMCP_RATE="9/9"\nLOG_LEVEL=INFO\nCF_Token=very-secret\n';
      await Deno.writeTextFile(file, text, { mode: 0o600 });
      await Deno.chown(file, 12345, 12345);
    },
    wrong: ["settings-file: warning"],
    message: /haproxy-mcp\.env sets CF_Token, MCP_RATE otherwise/,
    remedy: /chown root \S+haproxy-mcp\.env/,
  },
]);
