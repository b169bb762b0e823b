/** What a CSV's first lines look like, for choosing columns before it is sent; the server reads the file itself. */
export interface Preview {
  delimiter: string;
  header: string[];
  rows: string[][];
}

const DELIMITERS = [",", ";", "\t", "|"];

/** Split one line at the delimiter, quotes honoured. */
function cells(line: string, delimiter: string): string[] {
  const found: string[] = [];
  let cell = "";
  let quoted = false;
  for (let at = 0; at < line.length; at++) {
    const char = line[at]!;
    if (quoted) {
      if (char !== '"') cell += char;
      else if (line[at + 1] === '"') cell += line[++at]!;
      else quoted = false;
    } else if (char === '"' && cell === "") quoted = true;
    else if (char === delimiter) {
      found.push(cell);
      cell = "";
    } else cell += char;
  }
  return [...found, cell];
}

/** Undefined when the text has no header line with two columns at least. */
export function preview(text: string): Preview | undefined {
  const lines = text.replace(/^\uFEFF/, "").split(/\r?\n/).filter((line) => line.trim() !== "").slice(0, 6);
  const [first, ...rest] = lines;
  if (first === undefined) return undefined;
  const delimiter = DELIMITERS.map((mark) => [mark, cells(first, mark).length] as const).sort((a, b) => b[1] - a[1])[0]![0];
  const header = cells(first, delimiter).map((name) => name.trim());
  return header.length < 2 ? undefined : { delimiter, header, rows: rest.map((line) => cells(line, delimiter)) };
}
