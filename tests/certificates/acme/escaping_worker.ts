/** Tries what the acme room may not do, with the permissions of one. */
/// <reference lib="deno.worker" />
import { connect } from "../../../lib/rpc/mod.ts";

connect(self, {
  async attempt(urls: readonly string[]) {
    const attempts: Record<string, () => unknown> = {
      ...Object.fromEntries(urls.map((url) => [url, () => fetch(url)])),
      file: () => Deno.readTextFile("/etc/hostname"),
      program: () => new Deno.Command("true").output(),
      variable: () => Deno.env.get("HOME"),
    };
    const outcomes: Record<string, string> = {};
    for (const [name, attempt] of Object.entries(attempts)) {
      try {
        await attempt();
        outcomes[name] = "done";
      } catch (error) {
        outcomes[name] = (error as Error).name;
      }
    }
    return outcomes;
  },
});
