/** Resources, their changes, and completions, in both eras, as a real client sees them. */
import { deepEqual, match, ok, rejects } from "node:assert/strict";
import type { Client } from "@modelcontextprotocol/client";
import { pause } from "../fixtures.ts";
import { ERAS, FULL_TOKEN, openRig, READ_TOKEN, until } from "../rig.ts";

type Rig = Awaited<ReturnType<typeof openRig>>;

for (const era of ERAS) {
  Deno.test(`${era}: resources are listed, with templates apart, and read`, async () => {
    await using rig = await openRig();
    const client = await rig.client(era);
    const { resources } = await client.listResources();
    deepEqual(resources.map(({ uri, title }) => [uri, title]), [["haproxy://fixed", "Fixed"]]);
    match(resources[0].icons?.[0].src ?? "", /^data:image/);
    const { resourceTemplates } = await client.listResourceTemplates();
    deepEqual(resourceTemplates.map(({ uriTemplate }) => uriTemplate), ["haproxy://echo/{value}"]);
    match(resourceTemplates[0].icons?.[0].src ?? "", /^data:image\/svg\+xml;base64,/);
    const { contents } = await client.readResource({ uri: "haproxy://echo/a" });
    deepEqual(contents, [{
      uri: "haproxy://echo/a",
      mimeType: "text/plain",
      text: "text of haproxy://echo/a",
    }]);
  });

  Deno.test(`${era}: a resource that is not there is a protocol error with our code and the request's id`, async () => {
    await using rig = await openRig();
    const client = await rig.client(era);
    const error = await client.readResource({ uri: "haproxy://nonesuch" }).then(
      () => undefined,
      (cause) => cause,
    );
    match(error.message, /There is no resource haproxy:\/\/nonesuch/);
    const { code, request_id } = error.data as Record<string, string>;
    deepEqual([error.code, code], [-32602, "NOT_FOUND"]);
    match(request_id, /^[0-9a-f]{12}$/);
  });

  Deno.test(`${era}: MCP_TOOLSETS leaves resources out, too; read-only access has them`, async () => {
    await using rig = await openRig({ env: { MCP_TOOLSETS: "domains,health" } });
    const client = await rig.client(era, READ_TOKEN);
    deepEqual((await client.listResourceTemplates()).resourceTemplates, []);
    ok((await client.readResource({ uri: "haproxy://fixed" })).contents.length === 1);
  });

  Deno.test(`${era}: who has subscribed to a resource is told of it, and nobody else`, async () => {
    await using rig = await openRig();
    const [one, other] = [await watching(rig, era), await watching(rig, era)];
    await one.subscribe("haproxy://echo/a.test");
    await other.subscribe("haproxy://echo/b.test");
    await rig.tools.publish(false, "haproxy://echo/a.test");
    await until(() => one.seen.length === 1, "the subscriber was told");
    await rig.tools.publish(true, "haproxy://echo/b.test", "haproxy://fixed");
    await until(() => one.seen.length === 2 && other.seen.length === 2, "both were told");
    await pause(50);
    deepEqual(one.seen, ["updated haproxy://echo/a.test", "list"]);
    deepEqual(other.seen.toSorted(), ["list", "updated haproxy://echo/b.test"]);
  });

  Deno.test(`${era}: arguments of prompts and templates are completed in the tools room`, async () => {
    await using rig = await openRig();
    const client = await rig.client(era);
    const { completion } = await client.complete({
      ref: { type: "ref/prompt", name: "site-down" },
      argument: { name: "domain", value: "exa" },
    });
    deepEqual(completion.values, ["exa-completed"]);
    for (
      const ref of [
        { type: "ref/prompt", name: "nonesuch" },
        { type: "ref/resource", uri: "haproxy://nonesuch/{x}" },
      ] as const
    ) {
      await rejects(client.complete({ ref, argument: { name: "domain", value: "" } }), {
        code: -32602,
      });
    }
  });
}

Deno.test("2025: unsubscribing ends it; only what can be there is subscribed to, and so many at most", async () => {
  await using rig = await openRig({ env: { MCP_RATE: "0" } });
  const client = await rig.client("2025");
  const seen: string[] = [];
  client.setNotificationHandler("notifications/resources/updated", ({ params }) => {
    seen.push(params.uri);
  });
  await client.subscribeResource({ uri: "haproxy://echo/a" });
  await client.subscribeResource({ uri: "haproxy://fixed" });
  await client.unsubscribeResource({ uri: "haproxy://echo/a" });
  await rig.tools.publish(false, "haproxy://echo/a", "haproxy://fixed");
  await until(() => seen.length > 0, "the other one was told of");
  deepEqual(seen, ["haproxy://fixed"]);
  for (
    const uri of ["haproxy://nonesuch", "file:///etc/passwd", `haproxy://echo/${"x".repeat(600)}`]
  ) {
    await rejects(client.subscribeResource({ uri }), /There is no resource/);
  }
  for (let i = 1; i < 500; i++) await client.subscribeResource({ uri: `haproxy://echo/${i}` });
  await rejects(client.subscribeResource({ uri: "haproxy://echo/500" }), /500 resources at most/);
});

/** A client that hears of changes: by subscriptions of the era's own kind. */
async function watching(rig: Rig, era: typeof ERAS[number]) {
  const client: Client = await rig.client(era, FULL_TOKEN);
  const seen: string[] = [];
  client.setNotificationHandler("notifications/resources/updated", ({ params }) => {
    seen.push(`updated ${params.uri}`);
  });
  client.setNotificationHandler(
    "notifications/resources/list_changed",
    () => void seen.push("list"),
  );
  return {
    seen,
    async subscribe(uri: string) {
      if (era === "2025") return void await client.subscribeResource({ uri });
      await client.listen({ resourcesListChanged: true, resourceSubscriptions: [uri] });
    },
  };
}
