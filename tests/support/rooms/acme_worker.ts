/** The test build's acme room: the product's; with a directory that ends in /probe, one that tries to leave it. */
/// <reference lib="deno.worker" />
import { openAcmeRoom } from "../../../lib/certificates/acme/room.ts";
import { connect } from "../../../lib/rpc/mod.ts";
import { probe, type ProbeTarget } from "./probe.ts";

openAcmeRoom(self);

const product = self.onmessage as (event: MessageEvent) => void;
self.onmessage = (event: MessageEvent) => {
  product(event);
  const { t, name, args } = event.data;
  if (t === "call" && name === "start" && args.settings.directory.endsWith("/probe")) {
    connect(args.port, { probe: (target: ProbeTarget) => probe(target) });
  }
};
