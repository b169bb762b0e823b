import { Signal } from "../collaboration/core/signal";

type Theme = "light" | "dark";
const KEY = "theme";

function initial(): Theme {
  const kept = localStorage.getItem(KEY);
  if (kept === "light" || kept === "dark") return kept;
  return matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
}

export const theme = new Signal<Theme>(initial());

export function applyTheme(): void {
  const show = () => {
    document.documentElement.dataset.theme = theme.get();
  };
  show();
  theme.subscribe(show);
}

export function toggleTheme(): void {
  theme.update((now) => (now === "dark" ? "light" : "dark"));
  localStorage.setItem(KEY, theme.get());
}
