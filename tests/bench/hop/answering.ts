/** The room that is asked. */
import { connect } from "../../../lib/rpc/mod.ts";

addEventListener("message", ({ data: port }: MessageEvent<MessagePort>) => {
  connect(port, { echo: (args) => args });
});
