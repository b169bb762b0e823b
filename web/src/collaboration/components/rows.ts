import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { shown, type RecordView } from "../core";
import { useSession } from "../provider";
import { MONEY, parseMoney, units, value } from "../../ui/format";
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

/** Whether a record is listed. */
export function fits(filter: RowFilter): (record: RecordView) => boolean {
  const holds = contains(filter.q ?? "");
  return (record) => {
    if (filter.source && record.source !== filter.source) return false;
    if (filter.status && shown(record, "status") !== filter.status) return false;
    if (filter.only === "conflicts" && Object.keys(record.conflicts).length === 0) return false;
    return holds(record);
  };
}

/** Whether a text stands in a record: as the page shows it, as it is stored, or as an amount in the marks of any country. */
export function contains(search: string): (record: RecordView) => boolean {
  if (search === "") return () => true;
  const amount = parseMoney(search);
  const wanted = [search.toLowerCase(), ...(/^-?\d+(\.\d+)?$/.test(amount) ? [amount] : [])];
  return (record) => {
    const text = textOf(record);
    return wanted.some((part) => text.includes(part));
  };
}

/** Records are never changed in place, and to spell out amounts and dates takes its time: once for each will do. */
const texts = new WeakMap<RecordView, string>();

function textOf(record: RecordView): string {
  const known = texts.get(record);
  if (known !== undefined) return known;
  const fields = Object.entries({ ...record.values, ...record.pending });
  const text = [record.external_id, ...fields.flatMap(([field, content]) => [String(content ?? ""), value(field, content)])].join("\n").toLowerCase();
  texts.set(record, text);
  return text;
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

/** `sort`: a field's name, with "-" before it for descending. */
function ordering(sort: string): (a: RecordView, b: RecordView) => number {
  const order = compare(sort.replace(/^-/, ""));
  return sort.startsWith("-") ? (a, b) => order(b, a) : order;
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
  /** What is listed, and where. */
  const listed = useRef<{ ids: readonly string[]; places: ReadonlyMap<string, number> }>({ ids: [], places: new Map() });
  const { fit, order } = useMemo(() => {
    const parsed: RowFilter = JSON.parse(key);
    return { fit: fits(parsed), order: parsed.sort ? ordering(parsed.sort) : undefined };
  }, [key]);

  const refresh = useCallback(() => {
    const found = [...records.values()].filter(fit);
    if (order) found.sort(order);
    const ids = found.map((record) => record.record_id);
    listed.current = { ids, places: new Map(ids.map((id, place) => [id, place])) };
    setIds(ids);
    setStale(new Set());
  }, [records, fit, order]);

  /** Whether a row would come, go, or stand elsewhere than between those beside it. */
  const moves = useCallback((id: string): boolean => {
    const record = records.get(id);
    if (!record) return false;
    const { ids, places } = listed.current;
    const place = places.get(id);
    if (fit(record) !== (place !== undefined)) return true;
    if (place === undefined || !order) return false;
    const [before, after] = [ids[place - 1], ids[place + 1]].map((beside) => records.get(beside ?? ""));
    return (before !== undefined && order(before, record) > 0) || (after !== undefined && order(record, after) > 0);
  }, [records, fit, order]);

  useEffect(() => {
    refresh();
    // While pages arrive the list is made anew now and then, not for each: sorting all of it takes its time.
    let timer: ReturnType<typeof setTimeout> | undefined;
    const stopSize = records.size.subscribe(() => {
      timer ??= setTimeout(() => {
        timer = undefined;
        refresh();
      }, listed.current.ids.length === 0 ? 0 : WHILE_LOADING);
    });
    const stopAll = records.subscribeAll((changed) => {
      const moved = [...changed].filter(moves);
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
  }, [records, moves, refresh]);

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
