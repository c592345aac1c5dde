/**
 * A headless Chromium for a test, told what to do by its DevTools protocol. It notes what a person would not see: every
 * request, and every error in the console.
 *
 *     await using browser = await startBrowser();
 *     const page = await browser.open("http://127.0.0.1:8000/");
 *     await page.press("Tab");
 *     assert.equal(await page.eval("document.activeElement.id"), "q");
 *
 * Needs CHROMIUM, which scripts/setup.sh --tests sets.
 */
import { LEASH } from "./leash.ts";
import { eventually } from "./eventually.ts";

export interface Browser extends AsyncDisposable {
  /** A page of its own, in a profile of its own: no cookie of another one is there. */
  open(url: string, options?: PageOptions): Promise<Page>;
}

export interface PageOptions {
  /** CSS pixels. @default {1280 by 900} */
  readonly width?: number;
  readonly height?: number;
  readonly dark?: boolean;
  /** A phone: touch, and its own idea of a viewport. */
  readonly phone?: boolean;
  /** @default {true} */
  readonly script?: boolean;
  /** Certificates that nobody has signed are as good as others. */
  readonly insecure?: boolean;
}

export interface Page {
  /** URLs that were asked for, from the first document on. */
  readonly requests: readonly string[];
  /** Errors and warnings of the console, exceptions, and what the page's policy has refused. */
  readonly complaints: readonly string[];
  /** Documents that were loaded. */
  readonly loads: number;
  goto(url: string): Promise<void>;
  /** The value of an expression, as JSON; of a promise what it resolves to. */
  eval<T = unknown>(expression: string): Promise<T>;
  /** Waits until the expression is true. */
  until(expression: string): Promise<void>;
  /** A key by its name: Tab, Enter, Escape, or one character. */
  press(key: string): Promise<void>;
  type(text: string): Promise<void>;
  /** PNG, of the whole page. */
  screenshot(path: string): Promise<void>;
}

/** Milliseconds until Chromium counts as stuck. */
const PATIENCE = 30_000;

export function chromium(): string {
  const path = Deno.env.get("CHROMIUM");
  if (!path) throw new Error("CHROMIUM is not set: run the tests by scripts/test.sh");
  return path;
}

export async function startBrowser(): Promise<Browser> {
  const program = chromium();
  const profile = await Deno.makeTempDir({ prefix: "haproxy-mcp-browser-" });
  const child = new Deno.Command("sh", {
    args: ["-c", `${LEASH} exec "$@" </dev/null`, "sh", program].concat(
      // Its sandbox wants rights that a container has not; nothing but our own pages is opened.
      ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"],
      ["--disable-background-networking", "--disable-component-update", "--hide-scrollbars"],
      ["--remote-debugging-port=0", `--user-data-dir=${profile}`, "about:blank"],
    ),
    clearEnv: true,
    env: { PATH: Deno.env.get("PATH") ?? "", HOME: profile, TMPDIR: profile },
    stdin: "piped",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  let log = "";
  const reading = (async () => {
    for await (const chunk of child.stderr.pipeThrough(new TextDecoderStream())) log += chunk;
  })();
  const address = () => /^DevTools listening on (ws:\S+)/m.exec(log)?.[1];

  async function end(): Promise<void> {
    try {
      child.kill("SIGKILL");
    } catch {
      // It has ended by itself.
    }
    await child.status;
    await child.stdin.close().catch(() => {});
    await reading;
    // Its children end a moment later.
    await eventually(() => Deno.remove(profile, { recursive: true }).then(() => true, () => false));
  }

  try {
    await eventually(() => address() !== undefined, PATIENCE);
    const wire = await connect(address()!);
    return {
      open: (url, options = {}) => openPage(wire, url, options),
      async [Symbol.asyncDispose]() {
        await wire.close();
        await end();
      },
    };
  } catch (cause) {
    await end();
    throw new Error(`Chromium did not start:\n${log}`, { cause });
  }
}

type Params = Readonly<Record<string, unknown>>;

interface Wire {
  send<T = Params>(method: string, params?: Params, session?: string): Promise<T>;
  on(session: string, hear: (method: string, params: Params) => void): void;
  close(): Promise<void>;
}

async function connect(address: string): Promise<Wire> {
  const socket = new WebSocket(address);
  const waiting = new Map<number, PromiseWithResolvers<never>>();
  const ears = new Map<string, (method: string, params: Params) => void>();
  let last = 0;
  const { promise: opened, resolve, reject } = Promise.withResolvers<void>();
  const { promise: closed, resolve: onClose } = Promise.withResolvers<void>();
  socket.onopen = () => resolve();
  socket.onerror = () => reject(new Error(`${address} can't be reached`));
  socket.onclose = () => {
    for (const { reject } of waiting.values()) reject(new Error("Chromium has ended"));
    onClose();
  };
  socket.onmessage = ({ data }) => {
    const { id, method, params, result, error, sessionId } = JSON.parse(data);
    if (id === undefined) return ears.get(sessionId)?.(method, params);
    const asked = waiting.get(id);
    waiting.delete(id);
    if (error) asked?.reject(new Error(error.message));
    else asked?.resolve(result as never);
  };
  await opened;
  return {
    send(method, params = {}, sessionId) {
      const asked = Promise.withResolvers<never>();
      waiting.set(++last, asked);
      socket.send(JSON.stringify({ id: last, method, params, sessionId }));
      return asked.promise;
    },
    on: (session, hear) => void ears.set(session, hear),
    async close() {
      socket.close();
      await closed;
    },
  };
}

async function openPage(wire: Wire, url: string, options: PageOptions): Promise<Page> {
  const { width = 1280, height = 900, dark = false, phone = false, script = true } = options;
  const { browserContextId } = await wire.send("Target.createBrowserContext");
  const { targetId } = await wire.send("Target.createTarget", {
    url: "about:blank",
    browserContextId,
  });
  const { sessionId } = await wire.send<{ sessionId: string }>("Target.attachToTarget", {
    targetId,
    flatten: true,
  });
  const send = <T = Params>(method: string, params?: Params) =>
    wire.send<T>(method, params, sessionId);
  const requests: string[] = [];
  const complaints: string[] = [];
  let loads = 0;
  wire.on(sessionId, (method, params) => {
    // deno-lint-ignore no-explicit-any -- the protocol's events, of which a few words are read
    const event = params as any;
    switch (method) {
      case "Network.requestWillBeSent":
        return void requests.push(event.request.url);
      case "Runtime.consoleAPICalled":
        if (["error", "warning", "assert"].includes(event.type)) {
          complaints.push(`${event.type}: ${JSON.stringify(event.args)}`);
        }
        return;
      case "Runtime.exceptionThrown":
        return void complaints.push(`exception: ${JSON.stringify(event.exceptionDetails)}`);
      case "Log.entryAdded":
        return void complaints.push(`${event.entry.level}: ${event.entry.text} ${event.entry.url}`);
      case "Page.loadEventFired":
        return void loads++;
    }
  });
  for (const domain of ["Page", "Runtime", "Network", "Log"]) await send(`${domain}.enable`);
  await send("Emulation.setDeviceMetricsOverride", {
    width,
    height,
    deviceScaleFactor: phone ? 2 : 1,
    mobile: phone,
  });
  await send("Emulation.setEmulatedMedia", {
    features: [{ name: "prefers-color-scheme", value: dark ? "dark" : "light" }],
  });
  if (phone) await send("Emulation.setTouchEmulationEnabled", { enabled: true });
  if (options.insecure) await send("Security.setIgnoreCertificateErrors", { ignore: true });
  if (!script) await send("Emulation.setScriptExecutionDisabled", { value: true });

  async function evaluate<T>(expression: string): Promise<T> {
    const { result, exceptionDetails } = await send<{
      result: { value: T };
      exceptionDetails?: { exception?: { description?: string }; text: string };
    }>("Runtime.evaluate", { expression, returnByValue: true, awaitPromise: true });
    if (!exceptionDetails) return result.value;
    throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
  }

  async function goto(address: string): Promise<void> {
    const before = loads;
    const { errorText } = await send<{ errorText?: string }>("Page.navigate", { url: address });
    if (errorText) throw new Error(`${address}: ${errorText}`);
    await eventually(() => loads > before, PATIENCE);
  }

  async function press(key: string): Promise<void> {
    const text = key === "Enter" ? "\r" : key.length === 1 ? key : undefined;
    const code = CODES[key] ?? key.toUpperCase().charCodeAt(0);
    const event = { key, text, windowsVirtualKeyCode: code, code: key };
    await send("Input.dispatchKeyEvent", { type: text ? "keyDown" : "rawKeyDown", ...event });
    await send("Input.dispatchKeyEvent", { type: "keyUp", ...event });
  }

  const page: Page = {
    requests,
    complaints,
    get loads() {
      return loads;
    },
    goto,
    eval: evaluate,
    // While a document is being left there is nothing to ask.
    until: (expression) => eventually(() => evaluate<boolean>(expression).catch(() => false)),
    press,
    async type(text) {
      for (const character of text) await press(character);
    },
    async screenshot(path) {
      const { data } = await send<{ data: string }>("Page.captureScreenshot", {
        captureBeyondViewport: true,
      });
      await Deno.writeFile(path, Uint8Array.fromBase64(data));
    },
  };
  await goto(url);
  return page;
}

const CODES: Readonly<Record<string, number>> = { Tab: 9, Enter: 13, Escape: 27, " ": 32 };
