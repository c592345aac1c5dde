import assert from "node:assert/strict";
import { readSettings } from "../../lib/config.ts";
import { allowedHosts, machineAddresses } from "../../lib/supervisor/allowed_hosts.ts";

Deno.test("allowedHosts: loopback's names, MCP_HOST and the machine's addresses, each once", () => {
  const { front } = readSettings({ MCP_HOST: "Agent.example" });
  assert.deepEqual(allowedHosts(front, ["127.0.0.1", "10.0.0.7", "fe80::1"]), [
    "localhost",
    "127.0.0.1",
    "[::1]",
    "agent.example",
    "10.0.0.7",
    "[fe80::1]",
  ]);
});

Deno.test("allowedHosts: MCP_ALLOWED_HOSTS takes the place of all of them", () => {
  const { front } = readSettings({ MCP_ALLOWED_HOSTS: "mcp.example.com" });
  assert.deepEqual(allowedHosts(front, ["10.0.0.7"]), ["mcp.example.com"]);
});

Deno.test("machineAddresses: this machine has loopback, without a zone", () => {
  const addresses = machineAddresses();
  assert.ok(addresses.includes("127.0.0.1"));
  assert.ok(addresses.every((address) => !address.includes("%")));
});
