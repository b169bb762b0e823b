import { isOpen, shown, type RecordView } from "../core";
import { units } from "../../ui/format";

export interface Suggestion {
  record: RecordView;
  score: number;
  /** In words, best first. */
  reasons: string[];
}

const DAY = 86_400_000;

function words(record: RecordView): Set<string> {
  const text = `${shown(record, "description") ?? ""} ${shown(record, "reference") ?? ""}`.toLowerCase();
  return new Set(text.split(/[^\p{L}\p{N}]+/u).filter((word) => word.length > 2));
}

function days(a: RecordView, b: RecordView): number {
  return Math.round(Math.abs(Date.parse(String(shown(a, "date"))) - Date.parse(String(shown(b, "date")))) / DAY);
}

/** Words in more records than this share of all say nothing about which belong together ("payment", "inv"). */
const COMMON = 0.03;

/**
 * Records of the other side that may belong to `chosen`, likeliest first, with what speaks for each. `sign`: -1 where the
 * statement counts money out as positive.
 */
export function suggestions(chosen: RecordView, records: Iterable<RecordView>, sign: bigint, limit = 50): Suggestion[] {
  const open = [...records].filter((record) =>
    record.source !== chosen.source && isOpen(record) && shown(record, "currency") === shown(chosen, "currency"));
  const telling = tellingWords(chosen, open);
  const found = open.map((record) => judge(chosen, record, sign, telling)).filter(({ score }) => score >= 2.5);
  return found.sort((a, b) => b.score - a.score).slice(0, limit);
}

function tellingWords(chosen: RecordView, others: readonly RecordView[]): ReadonlySet<string> {
  const counts = new Map([...words(chosen)].map((word) => [word, 0]));
  for (const record of others) {
    for (const word of words(record)) {
      const known = counts.get(word);
      if (known !== undefined) counts.set(word, known + 1);
    }
  }
  const most = Math.max(3, others.length * COMMON);
  return new Set([...counts].filter(([, n]) => n <= most).map(([word]) => word));
}

function judge(chosen: RecordView, record: RecordView, sign: bigint, telling: ReadonlySet<string>): Suggestion {
  const [amount, other] = [units(shown(chosen, "amount")), sign * units(shown(record, "amount"))];
  const apart = days(chosen, record);
  const shared = [...words(record)].filter((word) => telling.has(word));
  const reasons: string[] = [];
  let score = 0;
  if (other === amount) {
    score += 5;
    reasons.push("same amount");
  } else if (abs(other - amount) * 100n <= abs(amount)) {
    score += 3;
    reasons.push("nearly the same amount");
  }
  if (shared.length > 0) {
    score += Math.min(4, 1.5 * shared.length);
    reasons.push(`shares “${shared.slice(0, 3).join(" ")}”`);
  }
  if (apart <= 30) {
    score += 2 - apart / 15;
    reasons.push(apart === 0 ? "same day" : `${apart} ${apart === 1 ? "day" : "days"} apart`);
  }
  return { record, score, reasons };
}

const abs = (n: bigint): bigint => (n < 0n ? -n : n);
