import { shown, type RecordView } from "../core";
import { units } from "../../ui/format";

export interface Suggestion {
  record: RecordView;
  score: number;
  /** In words, best first. */
  reasons: string[];
}

const DAY = 86_400_000;
const SETTLED = new Set(["matched", "excluded"]);

function words(record: RecordView): Set<string> {
  const text = `${shown(record, "description") ?? ""} ${shown(record, "reference") ?? ""}`.toLowerCase();
  return new Set(text.split(/[^\p{L}\p{N}]+/u).filter((word) => word.length > 2));
}

function days(a: RecordView, b: RecordView): number {
  return Math.round(Math.abs(Date.parse(String(shown(a, "date"))) - Date.parse(String(shown(b, "date")))) / DAY);
}

/** Records of the other side that may belong to `chosen`, likeliest first, with what speaks for each. */
export function suggestions(chosen: RecordView, records: Iterable<RecordView>, limit = 50): Suggestion[] {
  const amount = units(shown(chosen, "amount"));
  const mine = words(chosen);
  const found: Suggestion[] = [];
  for (const record of records) {
    if (record.source === chosen.source || SETTLED.has(String(shown(record, "status")))) continue;
    if (shown(record, "currency") !== shown(chosen, "currency")) continue;
    const other = units(shown(record, "amount"));
    const apart = days(chosen, record);
    const shared = [...words(record)].filter((word) => mine.has(word));
    const reasons: string[] = [];
    let score = 0;
    if (other === amount) {
      score += 5;
      reasons.push("same amount");
    } else if ((other < 0n) === (amount < 0n) && abs(other) < abs(amount)) score += 1;
    if (shared.length > 0) {
      score += Math.min(3, shared.length);
      reasons.push(`shares “${shared.slice(0, 3).join(" ")}”`);
    }
    if (apart <= 30) {
      score += 2 - apart / 15;
      reasons.push(apart === 0 ? "same day" : `${apart} ${apart === 1 ? "day" : "days"} apart`);
    }
    if (score >= 2.5) found.push({ record, score, reasons });
  }
  return found.sort((a, b) => b.score - a.score).slice(0, limit);
}

const abs = (n: bigint): bigint => (n < 0n ? -n : n);
