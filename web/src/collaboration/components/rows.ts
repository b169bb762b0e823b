import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { shown, type RecordView } from "../core";
import { useSession } from "../provider";
import { MONEY, units } from "../../ui/format";
import type { Parameters } from "../../ui/url";

/** Which records are listed, and in which order; all of it stands in the address. */
export interface RowFilter {
  status?: string;
  source?: string;
  q?: string;
  only?: string;
  /** A field's name, with "-" before it for descending. */
  sort?: string;
}

export function filterOf({ status, source, q, only, sort }: Parameters): RowFilter {
  return Object.fromEntries(Object.entries({ status, source, q, only, sort }).filter(([, value]) => value));
}

export function fits(record: RecordView, filter: RowFilter): boolean {
  if (filter.source && record.source !== filter.source) return false;
  if (filter.status && shown(record, "status") !== filter.status) return false;
  if (filter.only === "conflicts" && Object.keys(record.conflicts).length === 0) return false;
  if (!filter.q) return true;
  const wanted = filter.q.toLowerCase();
  if (record.external_id.toLowerCase().includes(wanted)) return true;
  return Object.values(record.values).some((value) => typeof value === "string" && value.toLowerCase().includes(wanted));
}

/** Milliseconds between two lists while records are being loaded. */
const WHILE_LOADING = 300;

function compare(field: string): (a: RecordView, b: RecordView) => number {
  if (MONEY.has(field)) {
    return (a, b) => {
      const [left, right] = [units(shown(a, field)), units(shown(b, field))];
      return left < right ? -1 : left > right ? 1 : 0;
    };
  }
  const text = (record: RecordView) =>
    field === "external_id" ? record.external_id : field === "source" ? record.source : String(shown(record, field) ?? "");
  return (a, b) => (text(a) < text(b) ? -1 : text(a) > text(b) ? 1 : 0);
}

/**
 * The listed records' ids. The list is made when the filter changes and when records are loaded; an edit of anybody's
 * changes rows in place but never moves them, so that nothing slips away under a person's hands. `stale` counts rows
 * that would come, go or move; `refresh` makes the list anew.
 */
export function useRows(filter: RowFilter): { ids: readonly string[]; stale: number; refresh: () => void } {
  const { records } = useSession();
  const key = JSON.stringify(filter);
  const [ids, setIds] = useState<readonly string[]>([]);
  const [stale, setStale] = useState<ReadonlySet<string>>(new Set());
  const listed = useRef(new Set<string>());
  const parsed = useMemo<RowFilter>(() => JSON.parse(key), [key]);

  const refresh = useCallback(() => {
    const found = [...records.values()].filter((record) => fits(record, parsed));
    if (parsed.sort) {
      const descending = parsed.sort.startsWith("-");
      const order = compare(parsed.sort.replace(/^-/, ""));
      found.sort(descending ? (a, b) => order(b, a) : order);
    }
    listed.current = new Set(found.map((record) => record.record_id));
    setIds([...listed.current]);
    setStale(new Set());
  }, [records, parsed]);

  useEffect(() => {
    refresh();
    // While pages arrive the list is made anew now and then, not for each: sorting all of it takes its time.
    let timer: ReturnType<typeof setTimeout> | undefined;
    const stopSize = records.size.subscribe(() => {
      timer ??= setTimeout(() => {
        timer = undefined;
        refresh();
      }, listed.current.size === 0 ? 0 : WHILE_LOADING);
    });
    const stopAll = records.subscribeAll((changed) => {
      const moved = [...changed].filter((id) => {
        const record = records.get(id);
        return record !== undefined && fits(record, parsed) !== listed.current.has(id);
      });
      setStale((known) => {
        const next = new Set([...known].filter((id) => !changed.has(id)));
        for (const id of moved) next.add(id);
        return next.size === known.size && moved.every((id) => known.has(id)) ? known : next;
      });
    });
    return () => {
      clearTimeout(timer);
      stopSize();
      stopAll();
    };
  }, [records, parsed, refresh]);

  return { ids, stale: stale.size, refresh };
}

const ORDER = ["date", "amount", "currency", "status", "description", "reference", "assignee", "notes"];
/** A record's identity, and its status, which follows from matches and from what people set aside. */
export const READ_ONLY = new Set(["external_id", "source", "record_id", "status"]);

/** The fields that records have, known ones first. */
export function useFields(): readonly string[] {
  const { records } = useSession();
  const [fields, setFields] = useState<readonly string[]>(ORDER);
  useEffect(() => {
    const look = () => {
      const found = new Set(ORDER);
      let looked = 0;
      for (const record of records.values()) {
        for (const name of Object.keys(record.values)) found.add(name);
        if (++looked === 2_000) break;
      }
      setFields((known) => (known.length === found.size ? known : [...found]));
    };
    look();
    return records.size.subscribe(look);
  }, [records]);
  return fields;
}
