import { useEffect, useState } from "react";
import { fromUnits, units } from "../../ui/format";
import { isOpen, shown, type RecordView } from "../core";
import { useSelected } from "../hooks";
import { useSession } from "../provider";

export interface Difference {
  currency: string;
  ledger: string;
  statement: string;
  /** Ledger less statement, of what is open, as the server reckons it. */
  difference: string;
  open: number;
}

/** -1 where the statement counts money out as positive, as a matching run has found; 1 before there was one. */
export function useStatementSign(): bigint {
  return BigInt(useSelected(useSession().reconciliation, ({ statement_sign = 1 }) => statement_sign));
}

/** The sums of both sides over those of the records that are open, by currency: one is never added to another. */
export function differencesOf(records: Iterable<RecordView>, sign: bigint): Difference[] {
  const sums = new Map<string, { ledger: bigint; statement: bigint; open: number }>();
  for (const record of records) {
    const currency = String(shown(record, "currency") ?? "");
    const entry = sums.get(currency) ?? { ledger: 0n, statement: 0n, open: 0 };
    sums.set(currency, entry);
    if (!isOpen(record)) continue;
    entry[record.source] += units(shown(record, "amount"));
    entry.open++;
  }
  return [...sums].sort(([a], [b]) => a.localeCompare(b)).map(([currency, { ledger, statement, open }]) => ({
    currency, open, ledger: fromUnits(ledger), statement: fromUnits(statement), difference: fromUnits(ledger - sign * statement),
  }));
}

/** Milliseconds between two sums: a sum over all records is work, and nobody reads faster. */
const pause = (records: number): number => (records > 20_000 ? 2_000 : 400);

/** What remains to be explained, by currency: the sums of both sides over all records that are open. */
export function useDifferences(): readonly Difference[] {
  const { records } = useSession();
  const sign = useStatementSign();
  const [differences, setDifferences] = useState<readonly Difference[]>([]);
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const sum = () => {
      timer = undefined;
      setDifferences(differencesOf(records.values(), sign));
    };
    sum();
    const stop = records.subscribeAll(() => {
      timer ??= setTimeout(sum, pause(records.size.get()));
    });
    return () => {
      stop();
      clearTimeout(timer);
    };
  }, [records, sign]);
  return differences;
}
