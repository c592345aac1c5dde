/** A message from one room to another. A call of a tool takes one hop, from front to tools, and its answer one back. */
import { type Row, within } from "../row.ts";
import { median } from "../statistics.ts";

export const hop: Row = {
  name: "hop",
  async measure(scale) {
    const calls = scale === "full" ? 10_000 : 500;
    const deno = Deno.env.get("DENO_COMPILE");
    if (!deno) {
      throw new Error("DENO_COMPILE is not set: it has to be the path of the Deno that compiles");
    }
    const main = new URL("../hop/main.ts", import.meta.url).pathname;
    const { success, stdout, stderr } = await new Deno.Command(deno, {
      args: [
        "run",
        "--quiet",
        "--frozen",
        "--no-check",
        "--no-prompt",
        "--allow-read",
        main,
        String(calls),
      ],
    }).output();
    if (!success) throw new Error(new TextDecoder().decode(stderr));
    const times: number[] = JSON.parse(new TextDecoder().decode(stdout)).slice(calls / 10);
    return [
      within(
        0.15,
        "ms",
        "a hop between rooms (half a call and its answer): median",
        median(times) / 2,
      ),
    ];
  },
};
