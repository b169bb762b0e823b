/** Eight hues that stay apart for most eyes; a name or initials always stand beside them. */
const HUES = 8;

export function hue(user_id: string): number {
  let hash = 0;
  for (const char of user_id) hash = (hash * 31 + char.codePointAt(0)!) >>> 0;
  return hash % HUES;
}

export function initials(name: string): string {
  const words = name.trim().split(/\s+/).filter(Boolean);
  const letters = words.length > 1 ? [words[0]!, words.at(-1)!] : words;
  return letters.map((word) => [...word][0]!.toUpperCase()).join("") || "?";
}
