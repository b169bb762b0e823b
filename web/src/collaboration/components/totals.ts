import { useEffect, useState } from "react";
import { fromUnits, units } from "../../ui/format";
import { shown } from "../core";
import { useSession } from "../provider";

export interface Difference {
  currency: string;
  ledger: string;
  statement: string;
  /** Ledger less statement, of what is not settled yet. */
  difference: string;
  open: number;
}

const SETTLED = new Set(["matched", "excluded"]);
/** Milliseconds between two sums: a sum over all records is work, and nobody reads faster. */
const pause = (records: number): number => (records > 20_000 ? 2_000 : 400);

/** What remains to be explained, by currency: the sums of both sides over the records that are not settled. */
export function useDifferences(): readonly Difference[] {
  const { records } = useSession();
  const [differences, setDifferences] = useState<readonly Difference[]>([]);
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const sum = () => {
      timer = undefined;
      const sums = new Map<string, { ledger: bigint; statement: bigint; open: number }>();
      for (const record of records.values()) {
        const currency = String(shown(record, "currency") ?? "");
        const entry = sums.get(currency) ?? { ledger: 0n, statement: 0n, open: 0 };
        sums.set(currency, entry);
        if (SETTLED.has(String(shown(record, "status")))) continue;
        entry[record.source] += units(shown(record, "amount"));
        entry.open++;
      }
      setDifferences(
        [...sums].sort(([a], [b]) => a.localeCompare(b)).map(([currency, { ledger, statement, open }]) => ({
          currency, open, ledger: fromUnits(ledger), statement: fromUnits(statement), difference: fromUnits(ledger - statement),
        })),
      );
    };
    sum();
    const stop = records.subscribeAll(() => {
      timer ??= setTimeout(sum, pause(records.size.get()));
    });
    return () => {
      stop();
      clearTimeout(timer);
    };
  }, [records]);
  return differences;
}
