// The page: table, filters, columns and figures. Texts become text nodes, never HTML.

// So many runs are drawn at once; more lines cannot be told apart.
const MOST_DRAWN = 12;
const FIRST_DRAWN = 3;

const data = JSON.parse(document.getElementById("data").textContent);
const at = (id) => document.getElementById(id);
const state = {
  column: null, // sorted by; null: the name
  descending: false,
  filters: new Map(), // by the id of the column
  ticked: new Set(), // of runs
};

function element(name, properties, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

function shownRuns() {
  return sorted(
    selected(data.runs, at("search").value, [...state.filters.values()]),
    state.column,
    state.descending,
  );
}

function heading(column) {
  const title = column === null ? "run" : column.title;
  const isSorted = state.column === column;
  const arrow = isSorted ? (state.descending ? " ▼" : " ▲") : "";
  const button = element("button", { type: "button" }, title + arrow);
  if (column !== null && column.metric !== undefined) button.append(element("small", {}, column.metric));
  button.addEventListener("click", () => {
    state.descending = isSorted && !state.descending;
    state.column = column;
    draw();
    at("table").querySelectorAll("thead button")[[null, ...shownColumns()].indexOf(column)].focus();
  });
  const cell = element("th", { scope: "col", className: column === null ? "name" : "number" }, button);
  if (column !== null && column.kind === "text") cell.className = "";
  cell.ariaSort = isSorted ? (state.descending ? "descending" : "ascending") : "none";
  return cell;
}

function nameCell(run) {
  const box = element("input", { type: "checkbox", checked: state.ticked.has(run) });
  box.addEventListener("change", () => {
    if (box.checked) state.ticked.add(run);
    else state.ticked.delete(run);
    box.closest("tr").classList.toggle("ticked", box.checked);
    drawFigures();
  });
  const marks = element("small", {}, run.marks.join("; "));
  return element("th", { scope: "row", className: "name" }, element("label", {}, box, " ", run.name), marks);
}

function valueCell(cell, column) {
  const className = column.kind === "text" ? "text" : "number";
  if (cell === null) return element("td", { className }, "–");
  if (column.kind === "text") return element("td", { className }, cell);
  if (column.kind === "number") return element("td", { className }, shortNumber(cell));
  const floor = element("small", {}, `floor ${withError(cell.floor, cell.floor_spread)}`);
  const made = element("td", { className }, withError(cell.value, cell.uncertainty), floor);
  if (cell.note) made.append(element("small", {}, cell.note));
  return made;
}

function shownColumns() {
  return data.columns.filter((column) => column.shown);
}

function drawTable() {
  const columns = shownColumns();
  const runs = shownRuns();
  const head = element("tr", {}, ...[null, ...columns].map(heading));
  const rows = runs.map((run) => {
    const cells = columns.map((column) => valueCell(run.cells[column.id], column));
    return element("tr", { className: state.ticked.has(run) ? "ticked" : "" }, nameCell(run), ...cells);
  });
  at("table").tHead.replaceChildren(head);
  at("table").tBodies[0].replaceChildren(...rows);
  drawStatus(runs);
}

function drawStatus(runs) {
  const drawn = Math.min(state.ticked.size, MOST_DRAWN);
  let text = `${runs.length} of ${data.runs.length} runs shown, ${state.ticked.size} ticked`;
  if (drawn < state.ticked.size) text += `, the first ${drawn} of them drawn`;
  at("status").textContent = text;
}

function drawFigures() {
  const ticked = [...state.ticked].slice(0, MOST_DRAWN);
  const entries = ticked.map((run, number) => ({ run, number }));
  drawStatus(shownRuns());
  drawLegend(entries);
  drawMarginals(entries);
  const drawn = [];
  if (entries.length > 0) drawn.push(historyFigure(at("quantity").value, entries, at("training-log").checked));
  at("training").replaceChildren(...drawn);
}

function drawLegend(entries) {
  const line = (style) => svgElement("svg", { width: 28, height: 10, "aria-hidden": "true" },
    svgElement("line", { x1: 0, x2: 28, y1: 5, y2: 5, "stroke-width": 3, ...style }));
  const items = entries.map(({ run, number }) =>
    element("span", {}, line(styleOf(number)), `${run.name} (${run.marks.join("; ")})`));
  if (entries.length > 0) items.unshift(element("span", {}, line({ stroke: REFERENCE }), "reference"));
  else items.push(element("span", {}, "Tick runs in the table to draw them."));
  at("legend").replaceChildren(...items);
}

function drawMarginals(entries) {
  const columns = new Map(); // the entries by column and unit
  for (const entry of entries) {
    for (const marginal of entry.run.marginals) {
      const key = `${marginal.column}\n${marginal.unit}`;
      columns.set(key, [...(columns.get(key) ?? []), { ...entry, marginal }]);
    }
  }
  const figures = [...columns.values()].map((found) => {
    const { column, unit } = found[0].marginal;
    const figure = element("figure", {}, marginalFigure(
      column, unit, found, data.references, at("marginals-log").checked));
    const references = new Set(found.map((entry) => entry.marginal.reference));
    if (references.size > 1) {
      figure.append(element("figcaption", { className: "warning" },
        `These runs were evaluated with ${references.size} different references or bins.`));
    }
    return figure;
  });
  at("marginals").replaceChildren(...figures);
}

function addFilter(column) {
  const filter = { id: column.id };
  const remove = element("button", { type: "button" }, "Remove");
  const inputs = column.kind === "text" ? choicesOf(column, filter) : limitsOf(filter);
  const made = element("fieldset", {}, element("legend", {}, column.title), ...inputs, remove);
  remove.addEventListener("click", () => {
    state.filters.delete(column.id);
    made.remove();
    drawTable();
    at("add-filter").focus();
  });
  state.filters.set(column.id, filter);
  at("filters").append(made);
  made.querySelector("input").focus();
  drawTable();
}

function choicesOf(column, filter) {
  const values = valuesOf(data.runs, column.id);
  filter.values = new Set(values);
  const labels = values.map((value) => {
    const box = element("input", { type: "checkbox", checked: true });
    box.addEventListener("change", () => {
      if (box.checked) filter.values.add(value);
      else filter.values.delete(value);
      drawTable();
    });
    return element("label", {}, box, " ", value === "" ? "–" : value);
  });
  return [element("div", { className: "choices" }, ...labels)];
}

function limitsOf(filter) {
  return ["min", "max"].map((limit) => {
    filter[limit] = null;
    const input = element("input", { type: "number", step: "any" });
    input.addEventListener("input", () => {
      filter[limit] = Number.isNaN(input.valueAsNumber) ? null : input.valueAsNumber;
      drawTable();
    });
    return element("label", {}, `${limit} `, input, " ");
  });
}

function start() {
  for (const column of data.columns) {
    const title = column.metric === undefined ? column.title : `${column.title} (${column.metric})`;
    at("filter-by").append(element("option", { value: column.id }, title));
    const box = element("input", { type: "checkbox", checked: column.shown });
    box.addEventListener("change", () => {
      column.shown = box.checked;
      drawTable();
    });
    at("columns").append(element("label", {}, box, " ", title));
  }
  const quantities = new Set(data.runs.flatMap((run) => Object.keys(run.history)));
  for (const quantity of quantities) {
    at("quantity").append(element("option", { selected: quantity === "loss" }, quantity));
  }
  at("search").addEventListener("input", drawTable);
  at("add-filter").addEventListener("click", () => {
    const column = data.columns.find((one) => one.id === at("filter-by").value);
    if (column !== undefined && !state.filters.has(column.id)) addFilter(column);
  });
  at("tick-shown").addEventListener("click", () => {
    state.ticked = new Set(shownRuns().slice(0, MOST_DRAWN));
    draw();
  });
  at("untick").addEventListener("click", () => {
    state.ticked = new Set();
    draw();
  });
  for (const id of ["marginals-log", "training-log", "quantity"]) {
    at(id).addEventListener("change", drawFigures);
  }
  state.ticked = new Set(shownRuns().slice(0, FIRST_DRAWN));
  draw();
}

function draw() {
  drawTable();
  drawFigures();
}

start();
