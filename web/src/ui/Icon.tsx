/** Line drawings on a 24 by 24 field, ours; each stands beside a text or carries a label. */
const PATHS = {
  lock: "M7 11V8a5 5 0 0 1 10 0v3M5 11h14v9H5z",
  conflict: "M12 3 2 20h20zM12 10v4M12 17v.5",
  comment: "M4 5h16v11H9l-5 4z",
  history: "M4 12a8 8 0 1 0 3-6.2M4 4v4h4M12 8v4l3 2",
  undo: "M9 7 4 12l5 5M4 12h11a5 5 0 0 1 0 10h-3",
  redo: "m15 7 5 5-5 5M20 12H9a5 5 0 0 0 0 10h3",
  close: "M6 6l12 12M18 6 6 18",
  check: "m5 12 5 5L20 7",
  play: "M7 4v16l13-8z",
  pause: "M8 5v14M16 5v14",
  search: "M11 4a7 7 0 1 0 0 14 7 7 0 0 0 0-14zM16 16l5 5",
  people: "M9 11a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM2 21c0-4 3-7 7-7s7 3 7 7M16 3.5a4 4 0 0 1 0 7M18 14.5c2.5 1 4 3.500 4 6.500",
  chart: "M4 20V10M10 20V4M16 20v-7M22 20H2",
  upload: "M12 16V4M7 9l5-5 5 5M4 20h16",
  theme: "M12 3a9 9 0 1 0 9 9c-5 1-10-4-9-9z",
  back: "M15 5l-7 7 7 7",
  bell: "M6 17V11a6 6 0 1 1 12 0v6l2 2H4zM10 21h4",
  exit: "M10 4H5v16h5M14 8l4 4-4 4M18 12H9",
  match: "M9 7H6a5 5 0 0 0 0 10h3M15 7h3a5 5 0 0 1 0 10h-3M8 12h8",
  table: "M3 5h18v14H3zM3 10h18M9 10v9",
  rules: "M4 7h9M17 7h3M15 5v4M4 17h3M11 17h9M9 15v4",
  download: "M12 4v12M7 11l5 5 5-5M4 20h16",
  up: "m6 15 6-6 6 6",
  down: "m6 9 6 6 6-6",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name, label }: { name: IconName; label?: string }) {
  return (
    <svg className="icon" viewBox="0 0 24 24" {...(label ? { role: "img", "aria-label": label } : { "aria-hidden": true })}>
      <path d={PATHS[name]} fill="none" stroke="currentColor" strokeWidth="2" strokeLinecap="round" strokeLinejoin="round" />
    </svg>
  );
}
