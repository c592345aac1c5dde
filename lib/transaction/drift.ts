/** How far HAProxy is from disk. */
import { lacks } from "../reconcile/converge.ts";
import { diff, inOrder } from "../reconcile/diff.ts";
import type { scopeReader } from "../reconcile/running.ts";
import type { Drift } from "../reconcile/subject.ts";
import type { Conversation, RuntimeClient } from "../runtime/connection.ts";
import type { Store } from "../state/store.ts";
import type { CertificateKeeper } from "./certificates/keeper.ts";
import type { CertificateTurn } from "./certificates/request.ts";

/** Reading that much is quick: below the tools' deadlines, so that they can say what is wrong. */
const LOOK_MS = 15_000;

export interface DriftParts {
  readonly store: Pick<Store, "desired">;
  readonly runtime: RuntimeClient;
  readonly certificates: Pick<CertificateKeeper, "drift">;
  readonly turn: CertificateTurn;
  readonly readScope: ReturnType<typeof scopeReader>;
}

/** Compares HAProxy with memory as it is; changes nothing on either side. Throws HAPROXY_UNREACHABLE. */
export function driftReader(
  { store, runtime, certificates, turn, readScope }: DriftParts,
): (signal: AbortSignal) => Promise<Drift> {
  const look = async (conversation: Conversation): Promise<Drift> => {
    const view = await readScope(conversation, "all");
    const { list, missing } = diff(store.desired, view.running, "all", view.map);
    const others = await certificates.drift(conversation);
    return {
      differences: [
        ...list.map(({ kind, subject }) => ({ kind, name: subject })),
        ...missing.map((name) => ({ kind: "server", name } as const)),
        ...others.differences,
      ],
      problems: [...missing.map(lacks), ...others.problems],
      commands: [...inOrder(list).map(({ line }) => line), ...others.commands],
    };
  };
  return (signal) => turn(() => runtime.converse(look, { deadlineMs: LOOK_MS, signal }));
}
