/** What a model is told of this server before its first call. */
export const INSTRUCTIONS = `Manages a running HAProxy with no reload and no lost request.
1. A domain is routed to a pool: a HAProxy backend named pool_N, one of a fixed number. Domains may share a pool.
2. A pool has a fixed number of slots, the servers pool_N_1, pool_N_2 and so on. A slot is empty or holds one address.
3. A new site: haproxy_add_domain with ip (lowest free pool, slot 1), more servers by haproxy_add_servers, then haproxy_domain_health, and haproxy_issue_cert for HTTPS.
4. State belongs to a server: ready takes requests, drain finishes what it has and takes none, maint is out of service. Weight is its share, 0 to 256.
5. To take a server out: haproxy_set_server_state drain, haproxy_wait_drain, then maint or haproxy_remove_server. The last healthy server is REFUSED without force=true.
6. Name a server by domain and slot, or by backend and server (pool_5, pool_5_1), never both.
7. Success means done: on disk, in HAProxy, and in what HAProxy reads at its next start. OUTCOME_UNKNOWN means read the state before you try again.
8. Every writing tool takes dry_run=true: it checks all and answers what would change. Some ask a person first; do not answer for them.
9. An error has a code and a hint that says what to do next. Something is wrong: haproxy_health first, then haproxy_domain_health of the domain.
10. haproxy_reload is only for an edit of haproxy.cfg by hand. Certificates renew by themselves.`;
