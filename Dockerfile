# The executable and nothing else of ours, on the smallest Debian: it wants glibc 2.27 or newer and libgcc, which are in it.
#
#     bash scripts/compile.sh
#     podman build --file Dockerfile --tag haproxy-mcp dist
#     podman run --network host --user 10001:10001 --volume /opt/haproxy:/opt/haproxy:z haproxy-mcp
#
# The agent speaks to HAProxy's Runtime API, and to its master CLI, on the loopback: hence the host's network, or one pod
# for both. The folder is HAPROXY_ROOT, made by `haproxy-mcp init`, and has to be this user's to write; the whole folder
# and never single files, since files are replaced by rename. Programs are not in here, so HAPROXY_MASTER is the way to a
# reload, and nobody checks haproxy.cfg before it: haproxy_check_config answers UNSUPPORTED, haproxy_reload wants confirm=true.
FROM debian:12-slim
COPY --chmod=755 haproxy-mcp /usr/local/bin/haproxy-mcp
USER 10001:10001
EXPOSE 8000
ENTRYPOINT ["/usr/local/bin/haproxy-mcp"]
CMD ["serve"]
