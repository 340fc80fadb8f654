// Reads a file of predictions away from the page, which stays quick: counts, a histogram, the first rows.
import { Reader } from "./csv.js";

const FIRST = 20, BINS = 24, LABELS = 12;

self.onmessage = async ({ data: { blob, columns, categorical } }) => {
  try {
    self.postMessage({ done: await read(blob, columns, categorical) });
  } catch (error) {
    self.postMessage({ failed: String(error) });
  }
};

async function read(blob, columns, categorical) {
  const reader = new Reader(), decoder = new TextDecoder(), stream = blob.stream().getReader();
  let header = null, count = 0, seen = 0, tallies = [], at = [];
  const first = [];
  for (let ended = false; !ended;) {
    const { value, done } = await stream.read();
    ended = done;
    const piece = done ? decoder.decode() : decoder.decode(value, { stream: true });
    for (const row of reader.rows(piece, done)) {
      if (!header) {
        header = row.map((name, index) => (index ? name : name.replace(/^\uFEFF/, "")));
        at = header.flatMap((name, index) => (name === "prediction" || name.startsWith("prediction_") ? [index] : []));
        at = at.slice(0, 50);
        tallies = at.map(() => ({ labels: new Map(), numbers: [], empty: 0 }));
        continue;
      }
      count++;
      if (first.length < FIRST) first.push(row);
      at.forEach((index, which) => add(tallies[which], row[index], categorical));
    }
    seen += value?.length ?? 0;
    self.postMessage({ part: blob.size ? seen / blob.size : 1 });
  }
  const outputs = at.map((index, which) => ({ name: header[index], ...summed(tallies[which], categorical) }));
  return { header, count, first, outputs };
}

function add(tally, text, categorical) {
  if (text === "" || text === undefined) { tally.empty++; return; }
  const number = Number(text);
  if (categorical || Number.isNaN(number)) tally.labels.set(text, (tally.labels.get(text) ?? 0) + 1);
  else tally.numbers.push(number);
}

function summed({ labels, numbers, empty }, categorical) {
  if (!categorical && !labels.size && numbers.length) return { empty, ...histogram(Float64Array.from(numbers)) };
  for (const each of numbers) labels.set(String(each), (labels.get(String(each)) ?? 0) + 1);
  const sorted = [...labels].sort((one, other) => other[1] - one[1]);
  const rest = sorted.slice(LABELS).reduce((sum, [, count]) => sum + count, 0);
  return { empty, labels: sorted.slice(0, LABELS), others: Math.max(0, sorted.length - LABELS), rest };
}

function histogram(numbers) {
  numbers.sort();
  const low = numbers[0], high = numbers[numbers.length - 1];
  const bins = new Array(low === high ? 1 : BINS).fill(0);
  const bin = (number) => Math.min(bins.length - 1, Math.floor(((number - low) / (high - low || 1)) * bins.length));
  for (const each of numbers) bins[bin(each)]++;
  const middle = numbers[Math.floor(numbers.length / 2)];
  return { bins, low, high, middle, mean: numbers.reduce((sum, each) => sum + each, 0) / numbers.length };
}
