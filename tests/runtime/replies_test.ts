import assert from "node:assert/strict";
import { encode, type Expectation } from "../../lib/runtime/encode.ts";
import { readReply, rejected, texts } from "../../lib/runtime/replies.ts";

const command = (expects: Expectation, line = "set server pool_1/pool_1_1 weight 3") =>
  encode(line.split(" "), expects);

for (
  const [expects, reply, ok] of [
    ["silence", "", true],
    ["silence", "[3]: No such server.\n", false],
    ["silence", "Key not found.\n", false],
    ["silence", "[6]: anything at all", false],
    ["silence", "Unknown command: 'x'", false],
    [
      "address",
      "[4]: IP changed from '1.1.1.1' to '2.2.2.2', port changed from '80' to '81' by 'stats socket command'",
      true,
    ],
    ["address", "[4]: port changed from '80' to '81' by 'stats socket command'", true],
    ["address", "[4]: nothing changed", true],
    ["address", "[4]: Invalid addr 'localhost'", false],
    ["address", "[4]: problem converting port 'abc' to an int", false],
    ["address", "[3]: No such server.", false],
    ["address", "", false],
    ["data", "", true],
    ["data", "[6]: 3.2.26-1", true],
    ["data", "# name\nbe_none", true],
    ["data", "0x1 a.test No such server", true],
    ["data", "[3]: Can't find backend.", false],
    ["data", "[0]: emergency", false],
    ["data", "[6]: Unknown command: 'show'", false],
    ["data", "Unknown command: 'show'", false],
    ["data", "Permission denied", false],
    ["data", "The command line is too big for the buffer size.", false],
    ["data", "The payload is too big.", false],
    ["new cert", "[5]: New empty certificate store '/a.pem'!", true],
    ["new cert", "[3]: Certificate '/a.pem' already exists!", false],
    ["new cert", "", false],
    ["set cert", "[5]: Transaction created for certificate /a.pem!", true],
    ["set cert", "[5]: Transaction updated for certificate /a.pem!", true],
    ["set cert", "Can't load the payload: Transaction created for certificate", false],
    ["set cert", "[3]: The command is too big for the buffer size.", false],
    ["commit cert", "Committing /a.pem..\nSuccess!", true],
    ["commit cert", "Committing /a.pem\nsome warning\nSuccess!\n", true],
    [
      "commit cert",
      "Committing /a.pem\nunable to load SSL private key from file '/a.pem'.\nFailed!",
      false,
    ],
    ["commit cert", "Committing /a\nSuccess!\n.pem\nFailed!", false],
    ["commit cert", "Success!", false],
    ["commit cert", "[3]: No ongoing transaction! !\nCan't commit /a.pem!", false],
    ["abort cert", "[5]: Transaction aborted for certificate '/a.pem'!", true],
    ["abort cert", "[3]: No ongoing transaction!", false],
    ["del cert", "[5]: Certificate '/a.pem' deleted!", true],
    [
      "del cert",
      "[3]: Can't remove the certificate: certificate '/a.pem' in use, can't be deleted!",
      false,
    ],
    ["add crt-list", "Inserting certificate '/a.pem' in crt-list '/l'..\nSuccess!", true],
    ["add crt-list", "[3]: Can't edit the crt-list: certificate '/a.pem' is empty!", false],
    ["add crt-list", "Inserting certificate '/a.pem' in crt-list '/l'.\nFailed!", false],
    ["del crt-list", "[5]: Entry '/a.pem' deleted in crtlist '/l'!", true],
    [
      "del crt-list",
      "[3]: Can't delete the entry: there is no certificate '/a.pem' in crt-list '/l'!",
      false,
    ],
  ] as const
) {
  Deno.test(`${JSON.stringify(reply.slice(0, 50))} for ${expects} is ${ok ? "a success" : "an error"}`, () =>
    assert.equal(readReply(command(expects), reply).ok, ok));
}

Deno.test("the severity is no part of the text", () => {
  assert.deepEqual(readReply(command("data"), "[6]: 3.2.26-1"), { ok: true, text: "3.2.26-1" });
  assert.deepEqual(readReply(command("data"), "[3]: No such server.\n"), {
    ok: false,
    message: "No such server.",
  });
});

Deno.test("rejected names the command, the reply and the server; its hint names the settings for a missing slot", () => {
  const error = rejected(command("silence"), "No such server.");
  assert.equal(error.code, "HAPROXY_REJECTED");
  assert.equal(
    error.message,
    'HAProxy refused "set server pool_1/pool_1_1 weight 3": No such server.',
  );
  assert.match(error.hint!, /HAPROXY_POOL_COUNT/);
  assert.equal(error.details?.server, "pool_1_1");
  assert.doesNotMatch(rejected(command("silence"), "entry not found.").hint!, /HAPROXY_POOL_COUNT/);
  assert.ok(rejected(command("silence"), "x".repeat(1e6)).message.length < 1_000);
});

Deno.test("texts throws for the first reply that is an error", () => {
  const commands = [
    command("data", "show info"),
    command("data", "show map"),
    command("data", "show x"),
  ];
  const good = { ok: true, text: "t" } as const;
  assert.deepEqual(texts(commands.slice(0, 2), [good, good]), ["t", "t"]);
  assert.throws(
    () => texts(commands, [good, { ok: false, message: "one" }, { ok: false, message: "two" }]),
    /"show map": one/,
  );
});
