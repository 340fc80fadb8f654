// CSV in pieces: rows come as soon as they are whole.

// The delimiter that splits the first lines into the most columns.
export function delimiter(text) {
  const lines = text.split(/\r?\n/, 5).filter(Boolean);
  const count = (sign) => Math.min(...lines.map((line) => line.split(sign).length));
  return [",", ";", "\t", "|"].reduce((best, sign) => (count(sign) > count(best) ? sign : best), ",");
}

export class Reader {
  constructor(sign = ",") {
    this.sign = sign;
    this.rest = "";
  }

  // The rows that end in what came so far; the last piece ends them all.
  *rows(piece, last = false) {
    let text = this.rest + piece;
    if (!text.includes('"')) {
      const lines = text.split("\n");
      this.rest = last ? "" : lines.pop();
      for (const line of lines) {
        const clean = line.endsWith("\r") ? line.slice(0, -1) : line;
        if (clean) yield clean.split(this.sign);
      }
      return;
    }
    if (last && !text.endsWith("\n")) text += "\n";
    yield* this.quoted(text);
  }

  *quoted(text) {
    let row = [], cell = "", inside = false, begun = 0;
    for (let at = 0; at < text.length; at++) {
      const sign = text[at];
      if (inside) {
        if (sign !== '"') cell += sign;
        else if (text[at + 1] === '"') { cell += '"'; at++; } else inside = false;
      } else if (sign === '"') inside = true;
      else if (sign === this.sign) { row.push(cell); cell = ""; }
      else if (sign === "\n") {
        row.push(cell.endsWith("\r") ? cell.slice(0, -1) : cell);
        if (row.length > 1 || row[0]) yield row;
        row = []; cell = ""; begun = at + 1;
      } else cell += sign;
    }
    this.rest = text.slice(begun);
  }
}
