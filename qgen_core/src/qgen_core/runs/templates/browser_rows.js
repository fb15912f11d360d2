// Which runs are shown, and in which order. These functions know nothing of the page.

// The number or the text by which a cell is sorted and filtered; null where there is none.
function keyOf(cell) {
  if (cell === null || cell === undefined) return null;
  if (typeof cell === "object") return cell.value;
  return cell;
}

// Runs in the order of a column, null for their names. Runs without a value come last either way.
function sorted(runs, column, descending) {
  const keyOfRun = (run) => (column === null ? run.name : keyOf(run.cells[column.id]));
  const sign = descending ? -1 : 1;
  const compare = (a, b) => {
    const left = keyOfRun(a);
    const right = keyOfRun(b);
    if (left === null && right === null) return 0;
    if (left === null) return 1;
    if (right === null) return -1;
    if (typeof left === "number") return sign * (left - right);
    return sign * left.localeCompare(right, "en", { numeric: true });
  };
  return [...runs].sort(compare);
}

// All texts of a run, to search in.
function textOf(run) {
  const texts = [run.name, ...run.marks];
  for (const cell of Object.values(run.cells)) {
    if (typeof cell === "string") texts.push(cell);
  }
  return texts.join("\n").toLowerCase();
}

// Whether all words occur in the texts of a run.
function hasWords(run, words) {
  const text = textOf(run);
  return words.toLowerCase().split(/\s+/).every((word) => text.includes(word));
}

// Whether a run passes a filter: {id, values}, a set of texts, or {id, min, max}, where null is
// no limit. A run without a value passes no filter of numbers that has a limit.
function passes(run, filter) {
  const key = keyOf(run.cells[filter.id]);
  if (filter.values) return filter.values.has(key === null ? "" : String(key));
  if (filter.min === null && filter.max === null) return true;
  if (key === null) return false;
  return (filter.min === null || key >= filter.min) && (filter.max === null || key <= filter.max);
}

function selected(runs, words, filters) {
  return runs.filter((run) => hasWords(run, words) && filters.every((one) => passes(run, one)));
}

// The distinct texts of a column in order, "" for none.
function valuesOf(runs, id) {
  const found = new Set();
  for (const run of runs) {
    const key = keyOf(run.cells[id]);
    found.add(key === null ? "" : String(key));
  }
  return [...found].sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
}

// A number with so many significant digits, as short as possible.
function shortNumber(value, digits = 4) {
  if (value === null) return "not a number";
  const rounded = Number(value.toPrecision(digits));
  const size = Math.abs(rounded);
  if (Number.isInteger(value) && size < 1e9) return String(value);
  if (size >= 1e-4 && size < 10 ** Math.max(digits, 5)) return String(rounded);
  return rounded.toExponential();
}

function withError(value, error) {
  return `${shortNumber(value)} ± ${shortNumber(error, 2)}`;
}
