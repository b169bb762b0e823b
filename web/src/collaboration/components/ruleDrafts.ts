import { newId, type Refusal, type Rule } from "../core";

export const KINDS: Record<Rule["kind"], string> = {
  pair: "Two records", reference: "Records of one reference", sum: "Records that add up", reversal: "A reversal",
};

export type NumberField =
  | "amount_tolerance" | "amount_percent" | "days_before" | "days_after" | "text_similarity" | "max_records" | "min_score" | "auto_score";

/** What a person types a number into, with what the server takes without being told. */
export const NUMBERS: Record<NumberField, { label: string; usual: number; step?: string }> = {
  amount_tolerance: { label: "Amounts may differ by (smallest unit, cents)", usual: 0 },
  amount_percent: { label: "or by percent", usual: 0, step: "any" },
  days_before: { label: "Statement earlier by at most (days)", usual: 10 },
  days_after: { label: "Statement later by at most (days)", usual: 45 },
  text_similarity: { label: "Texts alike (0, not at all, to 100)", usual: 0 },
  max_records: { label: "Records of one side, at most", usual: 8 },
  min_score: { label: "Suggested from this probability (0.05 to 1)", usual: 0.5, step: "any" },
  auto_score: { label: "Confirmed from this probability (0.9 to 1)", usual: 0.9995, step: "any" },
};
const NUMBER_FIELDS = Object.keys(NUMBERS) as NumberField[];

/** A rule while a person works on it: numbers are what they typed. */
export interface RuleDraft extends Required<Pick<Rule, "rule_id" | "name" | "kind" | "enabled" | "reference_required" | "auto_confirm">> {
  /** Stays with the draft when it moves. */
  key: string;
  numbers: Record<NumberField, string>;
}

/** What is wrong, by the draft's key and the field. */
export type RuleErrors = Readonly<Record<string, Readonly<Record<string, string>>>>;

export function draftsOf(rules: readonly Rule[]): RuleDraft[] {
  return rules.map((rule) => ({
    key: newId(),
    rule_id: rule.rule_id,
    name: rule.name,
    kind: rule.kind,
    enabled: rule.enabled ?? true,
    reference_required: rule.reference_required ?? false,
    auto_confirm: rule.auto_confirm ?? true,
    numbers: Object.fromEntries(NUMBER_FIELDS.map((field) => [field, String(rule[field] ?? NUMBERS[field].usual)])) as RuleDraft["numbers"],
  }));
}

/** A new rule confirms nothing by itself until somebody says so. */
export const newDraft = (): RuleDraft =>
  draftsOf([{ rule_id: `rule-${newId().slice(0, 8)}`, name: "New rule", kind: "pair", auto_confirm: false }])[0]!;

/** The rules as they are sent, or what cannot be read of them. What can be but may not be, the server says. */
export function rulesOf(drafts: readonly RuleDraft[]): { rules: Rule[]; errors: RuleErrors } {
  const errors: Record<string, Record<string, string>> = {};
  const rules = drafts.map(({ key, numbers, ...rule }) => {
    const read: Partial<Record<NumberField, number>> = {};
    for (const field of NUMBER_FIELDS) {
      const number = numbers[field].trim() === "" ? NaN : Number(numbers[field]);
      if (Number.isFinite(number)) read[field] = number;
      else (errors[key] ??= {})[field] = "This is no number.";
    }
    return { ...rule, name: rule.name.trim(), ...read };
  });
  return { rules, errors };
}

/** What the server found wrong, from `details.fields.rules["2"].min_score`, by the drafts' keys. */
export function errorsOf(refusal: Refusal, drafts: readonly RuleDraft[]): RuleErrors {
  const fields = refusal.details?.fields as { rules?: Record<string, Record<string, string[]>> } | undefined;
  const wrong = fields?.rules;
  if (wrong === undefined || Array.isArray(wrong)) return {};
  return Object.fromEntries(Object.entries(wrong).flatMap(([place, named]) => {
    const draft = drafts[Number(place)];
    return draft ? [[draft.key, Object.fromEntries(Object.entries(named).map(([field, texts]) => [field, [texts].flat().join(" ")]))]] : [];
  }));
}

/** The list with one item moved by one place. */
export function moved<T>(items: readonly T[], from: number, by: -1 | 1): T[] {
  const next = [...items];
  const [item] = next.splice(from, 1);
  next.splice(Math.max(0, Math.min(next.length, from + by)), 0, item!);
  return next;
}
