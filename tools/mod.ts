/** The table of tools, in the README's order. It is the source of the README's list and of every listing. */
import { addServers } from "./add_servers.ts";
import { addDomain, listDomains, removeDomain } from "./domains.ts";
import {
  addServer,
  listServers,
  removeServer,
  setDomainState,
  setServerState,
  setServerWeight,
} from "./servers.ts";
import type { Tool } from "./tool.ts";
import { waitDrain } from "./wait_drain.ts";

export type { Tool } from "./tool.ts";

export const tools: readonly Tool[] = [
  listDomains,
  addDomain,
  removeDomain,
  listServers,
  addServer,
  addServers,
  removeServer,
  setServerState,
  setServerWeight,
  setDomainState,
  waitDrain,
];
