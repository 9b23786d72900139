/** What is wrong with a file as a whole. */
export class CsvError extends Error {
  override name = "CsvError";
  readonly line: number;
  constructor(line: number, reason: string) {
    super(reason);
    this.line = line;
  }
}

export type CsvRow = { readonly line: number; readonly cells: readonly string[] };

/**
 * RFC 4180 as it comes in pieces: cells in quotes may hold commas, quotes (doubled) and line breaks; lines end with CRLF,
 * LF or CR; a byte order mark, empty lines and blanks around cells without quotes do not count. A row is bounded, so the
 * memory of a parser is. Throws CsvError.
 */
export function csvParser({ maxRowChars }: { readonly maxRowChars: number }) {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let line = 1;
  let rowLine = 1;
  let chars = 0;
  let cells: string[] = [];
  let cell = "";
  /** start: nothing of the cell yet. ended: behind its closing quote. */
  let state: "start" | "bare" | "quoted" | "quote" | "ended" = "start";
  let afterCr = false;

  function endCell(): void {
    cells.push(state === "bare" ? cell.trimEnd() : cell);
    cell = "";
    state = "start";
  }

  function endRow(rows: CsvRow[]): void {
    endCell();
    if (cells.length > 1 || cells[0] !== "") rows.push({ line: rowLine, cells });
    cells = [];
    chars = 0;
    rowLine = line;
  }

  /** Counts lines; CR and LF together are one break. Is `char` the second half of one? */
  function countLine(char: string): boolean {
    const isSecond = afterCr && char === "\n";
    afterCr = char === "\r";
    if (!isSecond && (char === "\n" || char === "\r")) line += 1;
    return isSecond;
  }

  function take(char: string, rows: CsvRow[]): void {
    const isSecond = countLine(char);
    if (state === "quoted") {
      bound();
      if (char === '"') state = "quote";
      else cell += char;
    } else if (state === "quote" && char === '"') {
      cell += char; // a doubled one
      state = "quoted";
    } else if (!isSecond) takeBare(char, rows);
  }

  function takeBare(char: string, rows: CsvRow[]): void {
    if (state === "quote") state = "ended";
    if (char === "\n" || char === "\r") {
      endRow(rows);
      return;
    }
    bound();
    if (char === ",") endCell();
    else if (char === " " || char === "\t") {
      if (state === "bare") cell += char;
    } else if (state === "ended") throw new CsvError(line, "there is text behind a closing quote");
    else if (char !== '"') {
      state = "bare";
      cell += char;
    } else if (state === "start") state = "quoted";
    else throw new CsvError(line, "there is a quote inside a cell without quotes");
  }

  function bound(): void {
    chars += 1;
    if (chars > maxRowChars) throw new CsvError(rowLine, `the row has more than ${maxRowChars} characters`);
  }

  function decode(bytes?: Uint8Array): string {
    try {
      return bytes ? decoder.decode(bytes, { stream: true }) : decoder.decode();
    } catch {
      throw new CsvError(line, "the file is not UTF-8");
    }
  }

  return {
    /** The rows that end in this piece. */
    push(bytes: Uint8Array): CsvRow[] {
      const rows: CsvRow[] = [];
      for (const char of decode(bytes)) take(char, rows);
      return rows;
    },
    /** The last row, when no line break ends it. */
    end(): CsvRow[] {
      const rows: CsvRow[] = [];
      for (const char of decode()) take(char, rows);
      if (state === "quoted") throw new CsvError(rowLine, "a quote is never closed");
      endRow(rows);
      return rows;
    },
  };
}

const NEEDS_QUOTES = /[",\r\n]|^[\s]|[\s]$/;
export function renderCsvRow(cells: readonly (string | number | undefined)[]): string {
  return `${cells.map(renderCell).join(",")}\r\n`;
}

function renderCell(value: string | number | undefined): string {
  const text = value === undefined ? "" : String(value);
  return NEEDS_QUOTES.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
