/** What a CSV's first lines look like, for choosing columns before it is sent; the server reads the file itself. */
export interface Preview {
  delimiter: string;
  header: string[];
  rows: string[][];
}

/**
 * A file's beginning as text, by the encoding that the server finds in it: a byte order mark decides, else UTF-8 where it is
 * that, else Windows-1252, as Excel writes it. `cut`: the file goes on, so its last character may be there in part.
 */
export function decode(bytes: Uint8Array, cut: boolean): string {
  const [first, second] = bytes;
  const marked = first === 0xff && second === 0xfe ? "utf-16le" : first === 0xfe && second === 0xff ? "utf-16be" : undefined;
  if (marked) return new TextDecoder(marked).decode(bytes, { stream: cut });
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes, { stream: cut });
  } catch {
    return new TextDecoder("windows-1252").decode(bytes);
  }
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

/** Excel's line before the header, which names the delimiter. */
const SEPARATOR_LINE = /^"?sep=([,;\t|])"?\r?\n/i;

/** Undefined when the text has no header line with two columns at least. */
export function preview(text: string): Preview | undefined {
  const plain = text.replace(/^\uFEFF/, "");
  const named = SEPARATOR_LINE.exec(plain)?.[1];
  const lines = plain.replace(SEPARATOR_LINE, "").split(/\r?\n/).filter((line) => line.trim() !== "").slice(0, 6);
  const [first, ...rest] = lines;
  if (first === undefined) return undefined;
  const delimiter = named ?? DELIMITERS.map((mark) => [mark, cells(first, mark).length] as const).sort((a, b) => b[1] - a[1])[0]![0];
  const header = cells(first, delimiter).map((name) => name.trim());
  return header.length < 2 ? undefined : { delimiter, header, rows: rest.map((line) => cells(line, delimiter)) };
}
