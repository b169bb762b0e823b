import { useEffect, useRef, type ReactNode } from "react";
import { Icon } from "../../ui/Icon";

/** A modal dialog: the browser keeps the keyboard inside, Escape closes it, and the focus goes back where it was. */
export function Dialog({ title, onClose, children, wide = false }: {
  title: string; onClose: () => void; children: ReactNode; wide?: boolean;
}) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const element = dialog.current!;
    const before = document.activeElement as HTMLElement | null;
    if (!element.open) element.showModal();
    return () => {
      element.close();
      before?.focus();
    };
  }, []);
  return (
    <dialog ref={dialog} className={wide ? "wide" : ""} aria-label={title} onCancel={(event) => {
      event.preventDefault();
      onClose();
    }}>
      <header className="panel-head">
        <h2>{title}</h2>
        <button type="button" className="icon-button" aria-label="Close" onClick={onClose}><Icon name="close" /></button>
      </header>
      <div className="panel-body">{children}</div>
    </dialog>
  );
}
