/** The table of tools, in the README's order. It is the source of the README's list and of every listing. */
import { issueCert, renewAllCerts, renewCert } from "./certificate_orders.ts";
import { certInfo, deleteCert, listCerts, loadCert } from "./certificates.ts";
import { addServers } from "./add_servers.ts";
import { checkConfig, reload } from "./configuration.ts";
import { addDomain, listDomains, removeDomain } from "./domains.ts";
import {
  addServer,
  listServers,
  removeServer,
  setDomainState,
  setServerState,
  setServerWeight,
} from "./servers.ts";
import { domainHealth, getServerHealth } from "./health.ts";
import { backends, getConnections, listFrontends } from "./monitoring.ts";
import { restoreState, saveState } from "./save_restore.ts";
import { stats } from "./stats.ts";
import { health } from "./system_health.ts";
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
  health,
  domainHealth,
  getServerHealth,
  stats,
  backends,
  listFrontends,
  getConnections,
  reload,
  checkConfig,
  saveState,
  restoreState,
  listCerts,
  certInfo,
  issueCert,
  renewCert,
  renewAllCerts,
  deleteCert,
  loadCert,
];
