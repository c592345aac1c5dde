/** The room that is asked. */
import { connect, type Port } from "../../../lib/rpc/mod.ts";

(self as unknown as Port).onmessage = ({ data: port }: MessageEvent<MessagePort>) => {
  connect(port, { echo: (args) => args });
};
