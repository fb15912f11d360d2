// Figures as SVG: distributions and histories of several runs.

const SIZE = { width: 380, height: 260, left: 58, right: 12, top: 26, bottom: 42 };
const WIDE = { ...SIZE, width: 700, height: 320 };
const COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b8860b", "#56b4e9", "#7b3fa0", "#1c2430"];
const REFERENCE = "#8b95a3";

// The n-th line: a colour, and dashes from the ninth on.
function styleOf(number) {
  const dashes = number < COLOURS.length ? "" : "6 3";
  return { stroke: COLOURS[number % COLOURS.length], "stroke-dasharray": dashes };
}

// A histogram as densities with their errors, so that runs of different sizes compare.
function densityOf(counts, errors, edges) {
  const sum = counts.reduce((a, b) => a + b, 0);
  const density = { values: [], errors: [] };
  counts.forEach((count, bin) => {
    const unit = sum * (edges[bin + 1] - edges[bin]);
    density.values.push(unit > 0 ? count / unit : 0);
    density.errors.push(unit > 0 ? errors[bin] / unit : 0);
  });
  return density;
}

// A scale from numbers to pixels; on a logarithmic one what is not above 0 lies at its lower end.
function scaleOf(low, high, from, to, logarithmic) {
  const place = (value) => (logarithmic ? Math.log10(Math.max(value, low)) : value);
  const start = place(low);
  const length = place(high) - start || 1;
  const scale = (value) => from + ((place(value) - start) / length) * (to - from);
  return Object.assign(scale, { low, high, logarithmic });
}

// Round numbers within a scale.
function ticksOf(scale, count = 5) {
  const ticks = [];
  if (scale.logarithmic) {
    const low = Math.ceil(Math.log10(scale.low) - 1e-9);
    const high = Math.floor(Math.log10(scale.high) + 1e-9);
    if (high > low) {
      const step = Math.ceil((high - low) / count);
      for (let power = low; power <= high; power += step) ticks.push(10 ** power);
      return ticks;
    }
  }
  const rough = (scale.high - scale.low) / count || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((one) => one >= rough * (1 - 1e-9));
  for (let number = Math.ceil(scale.low / step); number * step <= scale.high; number += 1) {
    ticks.push(Number((number * step).toPrecision(12)));
  }
  return ticks;
}

// The range of the vertical axis: all values, and on a logarithmic axis those above 0.
function rangeOf(values, logarithmic) {
  let low = Infinity;
  let high = -Infinity;
  for (const value of values) {
    if (value === null || (logarithmic && value <= 0)) continue;
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  if (low > high) return [logarithmic ? 0.1 : 0, 1];
  if (logarithmic) return [low / 1.2, high * 1.2];
  const margin = 0.05 * (high - low) || 0.5;
  return [low - margin, high + margin];
}

function svgElement(name, attributes, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

// An empty figure with its axes; ``x`` and ``y`` are the scales.
function framed(size, label, titles, x, y) {
  const figure = svgElement("svg", {
    viewBox: `0 0 ${size.width} ${size.height}`, role: "img", "aria-label": label,
  });
  const bottom = size.height - size.bottom;
  const right = size.width - size.right;
  const grid = { stroke: "#d9dfe7" };
  for (const tick of ticksOf(x)) {
    figure.append(
      svgElement("line", { x1: x(tick), x2: x(tick), y1: bottom, y2: bottom + 4, stroke: REFERENCE }),
      svgElement("text", { x: x(tick), y: bottom + 17, "text-anchor": "middle" }, shortNumber(tick)),
    );
  }
  for (const tick of ticksOf(y)) {
    figure.append(
      svgElement("line", { x1: size.left, x2: right, y1: y(tick), y2: y(tick), ...grid }),
      svgElement("text", { x: size.left - 5, y: y(tick) + 4, "text-anchor": "end" }, shortNumber(tick, 3)),
    );
  }
  figure.append(
    svgElement("text", { x: (size.left + right) / 2, y: size.height - 6, "text-anchor": "middle" }, titles.x),
    svgElement("text", { x: 4, y: 15 }, titles.y),
  );
  return figure;
}

// The outline of a histogram as the path of a line.
function outlineOf(values, edges, x, y) {
  const steps = values.map((value, bin) => `V${y(value)}H${x(edges[bin + 1])}`);
  return `M${x(edges[0])},${y(0)}${steps.join("")}V${y(0)}`;
}

// One column: the references of the runs, filled, and the generated events of each run.
// ``entries`` are {run, number, marginal}; ``references`` are those of the page.
function marginalFigure(column, unit, entries, references, logarithmic) {
  const used = [...new Set(entries.map((entry) => entry.marginal.reference))];
  const drawn = used.map((number) => references[number]);
  const expected = drawn.map((one) => densityOf(one.reference, one.reference_error, one.edges));
  const found = entries.map(({ marginal }) => {
    const { edges } = references[marginal.reference];
    return { edges, ...densityOf(marginal.generated, marginal.generated_error, edges) };
  });
  const edges = drawn.flatMap((one) => one.edges);
  const values = [...expected, ...found].flatMap((one) => one.values);
  const [low, high] = rangeOf(logarithmic ? values : [0, ...values], logarithmic);
  const x = scaleOf(Math.min(...edges), Math.max(...edges), SIZE.left, SIZE.width - SIZE.right, false);
  const y = scaleOf(logarithmic ? low : 0, high, SIZE.height - SIZE.bottom, SIZE.top, logarithmic);
  const hasUnit = unit !== "" && unit !== "1";
  const titles = {
    x: hasUnit ? `${column} [${unit}]` : column,
    y: hasUnit ? `density [1/${unit}]` : "density",
  };
  const names = entries.map((entry) => entry.run.name).join(", ");
  const figure = framed(SIZE, `Density of ${column} in ${names} and in the reference`, titles, x, y);
  expected.forEach((one, number) => {
    const fill = number === 0 ? "#d9dfe7" : "none";
    const d = outlineOf(one.values, drawn[number].edges, x, y);
    figure.append(svgElement("path", { d, fill, stroke: REFERENCE, "fill-opacity": 0.7, class: "reference" }));
  });
  found.forEach((one, number) => {
    const style = styleOf(entries[number].number);
    const d = outlineOf(one.values, one.edges, x, y);
    figure.append(svgElement("path", { d, fill: "none", "stroke-width": 1.6, ...style }));
    const bars = one.values.map((value, bin) => {
      const centre = x((one.edges[bin] + one.edges[bin + 1]) / 2);
      return `M${centre},${y(value - one.errors[bin])}V${y(value + one.errors[bin])}`;
    });
    figure.append(svgElement("path", { d: bars.join(""), fill: "none", "stroke-width": 1, stroke: style.stroke }));
  });
  return figure;
}

// The history of one quantity. ``entries`` are {run, number}.
function historyFigure(quantity, entries, logarithmic) {
  const drawn = entries.filter((entry) => quantity in entry.run.history);
  const steps = drawn.flatMap((entry) => entry.run.history[quantity][0]);
  const values = drawn.flatMap((entry) => entry.run.history[quantity][1]);
  const [low, high] = rangeOf(values, logarithmic);
  const last = Math.max(1, ...steps);
  const x = scaleOf(0, last, WIDE.left, WIDE.width - WIDE.right, false);
  const y = scaleOf(low, high, WIDE.height - WIDE.bottom, WIDE.top, logarithmic);
  const names = drawn.map((entry) => entry.run.name).join(", ");
  const figure = framed(WIDE, `${quantity} over the steps of ${names}`, { x: "step", y: quantity }, x, y);
  for (const entry of drawn) {
    const [at, numbers] = entry.run.history[quantity];
    let d = "";
    let pen = "M";
    numbers.forEach((value, place) => {
      const isDrawn = value !== null && !(logarithmic && value <= 0);
      if (isDrawn) d += `${pen}${x(at[place])},${y(value)}`;
      pen = isDrawn ? "L" : "M";
    });
    figure.append(svgElement("path", { d, fill: "none", "stroke-width": 1.6, ...styleOf(entry.number) }));
  }
  return figure;
}
