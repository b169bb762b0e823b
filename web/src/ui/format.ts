import type { Value } from "../collaboration/core/contract";

const locale = (): string[] => [...navigator.languages];
const numbers = new Map<number, Intl.NumberFormat>();
const instants = {
  time: new Intl.DateTimeFormat(locale(), { hour: "2-digit", minute: "2-digit" }),
  full: new Intl.DateTimeFormat(locale(), { dateStyle: "medium", timeStyle: "short" }),
  date: new Intl.DateTimeFormat(locale(), { dateStyle: "medium", timeZone: "UTC" }),
};

export const MONEY = new Set(["amount", "fee", "tax", "debit", "credit", "balance"]);
export const DATES = new Set(["date", "value_date", "due_date", "posting_date"]);
export const STATUSES = ["unmatched", "suggested", "matched", "exception", "excluded"] as const;

/** "-1234.50" in the reader's locale. Digits are taken as they are: no amount passes through a float. */
export function money(amount: string): string {
  if (!/^-?\d+(\.\d+)?$/.test(amount)) return amount;
  const digits = amount.split(".")[1]?.length ?? 0;
  const format = numbers.get(digits) ?? new Intl.NumberFormat(locale(), { minimumFractionDigits: digits, maximumFractionDigits: digits });
  numbers.set(digits, format);
  return format.format(amount as unknown as number); // Intl takes decimal texts exactly
}

export function value(field: string, content: Value | undefined): string {
  if (content === null || content === undefined) return "";
  if (Array.isArray(content)) return content.join(", ");
  if (MONEY.has(field)) return money(String(content));
  if (DATES.has(field) && /^\d{4}-\d{2}-\d{2}$/.test(String(content))) return instants.date.format(new Date(`${content}T00:00:00Z`));
  return String(content);
}

export const time = (iso: string): string => instants.time.format(new Date(iso));
export const instant = (iso: string): string => instants.full.format(new Date(iso));
export const count = (n: number): string => new Intl.NumberFormat(locale()).format(n);
export const percent = (share: number): string =>
  new Intl.NumberFormat(locale(), { style: "percent", maximumFractionDigits: 0 }).format(share);

export function duration(seconds: number | null): string {
  if (seconds === null) return "–";
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5_400) return `${Math.round(seconds / 60)} min`;
  return `${Math.round(seconds / 360) / 10} h`;
}

const NAMES: Record<string, string> = {
  external_id: "Number", date: "Date", amount: "Amount", currency: "Currency", description: "Description",
  reference: "Reference", status: "Status", assignee: "Assignee", notes: "Notes", document_type: "Document",
};

export function fieldName(field: string): string {
  return NAMES[field] ?? capital(field.replaceAll("_", " "));
}

export const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

/** A decimal text as an integer of 10^-4; exact, for sums. */
export function units(amount: Value | undefined): bigint {
  const match = /^(-?)(\d+)(?:\.(\d{1,4})\d*)?$/.exec(String(amount ?? ""));
  if (!match) return 0n;
  const size = BigInt(match[2]! + (match[3] ?? "").padEnd(4, "0"));
  return match[1] ? -size : size;
}

export function fromUnits(sum: bigint, digits = 2): string {
  const sign = sum < 0n ? "-" : "";
  const text = (sum < 0n ? -sum : sum).toString().padStart(5, "0");
  const tail = text.slice(-4).replace(/0+$/, "").padEnd(digits, "0");
  return sign + text.slice(0, -4) + (tail ? `.${tail}` : "");
}

const decimalMark = (): string =>
  new Intl.NumberFormat(locale()).formatToParts(1.5).find((part) => part.type === "decimal")?.value ?? ".";

/** An amount as the reader would type it: no groups, their decimal mark. */
export const typedMoney = (amount: string): string => (/^-?\d+\.\d+$/.test(amount) ? amount.replace(".", decimalMark()) : amount);

/**
 * What a person typed for an amount, as the server writes it: groups out, one decimal point, a minus for parentheses. The
 * reader's locale decides only where nothing else does: of the one mark in "1.234". What cannot be read stays as it was typed,
 * for the server to refuse.
 */
export function parseMoney(text: string): string {
  const typed = text.replace(/[\s'’\u00a0\u202f]/g, "").replaceAll("\u2212", "-");
  const inside = /^\((.*)\)$/.exec(typed)?.[1];
  const [, sign = "", plain = ""] = /^([-+]?)(.*)$/.exec(inside ?? typed)!;
  const marks = [...plain.matchAll(/[.,]/g)];
  const [first, last] = [marks[0]?.[0], marks.at(-1)];
  let decimal = last?.[0];
  if (last !== undefined && first === last[0]) {
    // Marks of one kind: several of them part groups, and one does where three digits follow that the locale would group.
    const groups = marks.length > 1 || (/^\d{1,3}[.,]\d{3}$/.test(plain) && decimal !== decimalMark());
    if (groups) decimal = undefined;
  }
  const [whole = "", part] = decimal === undefined ? [plain] : [plain.slice(0, last!.index), plain.slice(last!.index + 1)];
  if (!/^(\d+|\d{1,3}(,\d{2,3})*,\d{3}|\d{1,3}(\.\d{2,3})*\.\d{3})?$/.test(whole) || !/^\d*$/.test(part ?? "") || !/\d/.test(plain)) return text.trim();
  const digits = whole.replace(/[.,]/g, "") || "0";
  return `${inside !== undefined || sign === "-" ? "-" : ""}${digits}${part ? `.${part}` : ""}`;
}
