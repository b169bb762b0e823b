import { useCallback } from "react";
import { capital } from "../../ui/format";
import { newId, type BulkDone, type Refusal } from "../core";
import { useSession } from "../provider";
import { useWorkspace } from "./workspace";

/**
 * Ask something of the reconciliation and say what became of it: `done` in a toast, or why not. Resolves to whether
 * all of it was done; of a bulk action each item that was not is named. `onRefused` is told why, for what more can be offered.
 */
export function useAction(): (event: string, body: object, done: string, onRefused?: (error: Refusal) => void) => Promise<boolean> {
  const session = useSession();
  const workspace = useWorkspace();
  return useCallback(
    async (event, body, done, onRefused) => {
      const answer = await session.request<Partial<BulkDone>>(event, { request_id: newId(), ...body }).catch(() => undefined);
      if (answer === undefined) {
        workspace.toast("bad", "Not done: there is no connection. Try again when you are online.");
        return false;
      }
      if (!answer.ok) {
        workspace.toast("bad", `${capital(answer.error.message)}.`.replace("..", "."));
        onRefused?.(answer.error);
        return false;
      }
      const refused = answer.results?.filter((result) => !result.ok) ?? [];
      if (refused.length === 0) workspace.toast("good", done);
      else {
        const first = refused[0]!.error?.message ?? "refused";
        workspace.toast("bad", `${refused.length} of ${answer.results!.length} could not be done: ${first}.`);
      }
      return refused.length === 0;
    },
    [session, workspace],
  );
}
