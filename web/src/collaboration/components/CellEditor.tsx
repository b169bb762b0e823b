import { useEffect, useRef, type FocusEvent, type KeyboardEvent } from "react";
import { DATES, fieldName, MONEY, parseMoney, typedMoney } from "../../ui/format";
import type { Value } from "../core";

export interface CellEditorProps {
  field: string;
  draft: string;
  /** Nothing was typed yet: what is typed replaces the whole. */
  untouched: boolean;
  onDraft: (draft: string) => void;
  /** `move`: where to go afterwards. */
  onCommit: (move: "stay" | "down" | "next" | "previous") => void;
  onCancel: () => void;
}

/** The draft as the value to send. */
export function parsed(field: string, draft: string, before: Value): Value {
  if (draft === draftOf(field, before)) return before;
  if (MONEY.has(field)) return parseMoney(draft);
  if (Array.isArray(before)) return draft.split(",").map((tag) => tag.trim()).filter(Boolean);
  return draft;
}

export function draftOf(field: string, content: Value): string {
  if (Array.isArray(content)) return content.join(", ");
  return MONEY.has(field) ? typedMoney(String(content ?? "")) : String(content ?? "");
}

/** One field, being edited in its cell. The draft lives outside, so that it survives scrolling away. */
export function CellEditor({ field, draft, untouched, onDraft, onCommit, onCancel }: CellEditorProps) {
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => {
    input.current?.focus();
    if (!DATES.has(field) && untouched) input.current?.select();
    // As it comes, and when its row is scrolled back into view; not again for what is typed into it.
  }, []);
  const keys = (event: KeyboardEvent) => {
    event.stopPropagation();
    if (event.key === "Escape") onCancel();
    else if (event.key === "Enter") onCommit("down");
    else if (event.key === "Tab") onCommit(event.shiftKey ? "previous" : "next");
    else return;
    event.preventDefault();
  };
  const leave = ({ currentTarget }: FocusEvent) => {
    // The window has lost the keyboard, not the field: it is there again as it was when the person is.
    if (document.activeElement !== currentTarget) onCommit("stay");
  };
  const shared = { "aria-label": fieldName(field), className: "cell-input", onKeyDown: keys, onBlur: leave };
  return (
    <input
      ref={input}
      {...shared}
      value={draft}
      onChange={(event) => onDraft(event.target.value)}
      type={DATES.has(field) ? "date" : "text"}
      inputMode={MONEY.has(field) ? "decimal" : "text"}
      autoComplete="off"
      maxLength={4_000}
    />
  );
}
