"""A server of the original's kind: Python, FastMCP over streamable HTTP, one connection to HAProxy a command.

Usage: server.py stateless|sessions ROOT TOKEN PORT. It runs haproxy_list_domains, from the files under ROOT.
"""

import json
import sys
from pathlib import Path

from fastmcp import FastMCP
from fastmcp.server.auth.providers.jwt import StaticTokenVerifier

mode, root, token, port = sys.argv[1:]
server = FastMCP("bench", auth=StaticTokenVerifier(tokens={token: {"client_id": "bench", "scopes": []}}))


@server.tool
def haproxy_list_domains(include_wildcards: bool = False) -> dict:
    """Lists the domains that HAProxy routes, each with its pool and servers, by name."""
    servers = json.loads(Path(root, "conf/servers.json").read_text())
    entries = sorted(
        line.split()
        for line in Path(root, "conf/domains.map").read_text().splitlines()
        if len(line.split()) == 2 and not line.startswith("#") and (include_wildcards or not line.startswith("."))
    )
    domains = [
        {
            "domain": domain,
            "pool": pool,
            "wildcard": domain.startswith("."),
            "shared_with": [other for other, its in entries if its == pool and other != domain],
            "servers": [
                {
                    "slot": int(slot),
                    "name": f"{pool}_{slot}",
                    "ip": one["ip"],
                    "http_port": one["http_port"],
                    "weight": one.get("weight", 1),
                    "state": one.get("state", "ready"),
                }
                for slot, one in servers.get(pool, {}).items()
            ],
        }
        for domain, pool in entries
    ]
    return {"domains": domains, "count": len(domains), "next_cursor": ""}


stateless = mode == "stateless"
server.run(
    transport="http",
    host="127.0.0.1",
    port=int(port),
    show_banner=False,
    log_level="error",
    stateless_http=stateless,
    json_response=stateless,
)
