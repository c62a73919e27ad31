"use strict";
// Draws the figures in the colours of the page, sorts tables by the heading clicked, and filters the evidence.
const figures = JSON.parse(document.getElementById("figures").textContent);
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function themed(layout) {
  const axis = { gridcolor: colour("--grid"), linecolor: colour("--line"), zerolinecolor: colour("--line"), automargin: true };
  return {
    ...layout,
    autosize: true,
    paper_bgcolor: colour("--card"),
    plot_bgcolor: colour("--card"),
    font: { family: getComputedStyle(document.body).fontFamily, size: 12, color: colour("--text") },
    hoverlabel: { bgcolor: colour("--card"), bordercolor: colour("--line"), font: { color: colour("--text") } },
    legend: { orientation: "h", y: 1.02, yanchor: "bottom", x: 0, traceorder: "normal", ...layout.legend },
    xaxis: { ...axis, ...layout.xaxis, fixedrange: true },
    yaxis: { ...axis, ...layout.yaxis, fixedrange: true },
  };
}

function draw() {
  for (const [id, figure] of Object.entries(figures)) {
    Plotly.react(`chart-${id}`, figure.data, themed(figure.layout), { responsive: true, displayModeBar: false });
  }
}

function order(table, column, heading) {
  const ascending = heading.getAttribute("aria-sort") !== "ascending";
  const body = table.tBodies[0];
  const key = (row) => row.cells[column].dataset.sort;
  const compare = (one, other) => {
    const difference = Number(key(one)) - Number(key(other));
    const result = Number.isNaN(difference) ? key(one).localeCompare(key(other)) : difference;
    return ascending ? result : -result;
  };
  [...body.rows].sort(compare).forEach((row) => body.append(row));
  for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
  heading.setAttribute("aria-sort", ascending ? "ascending" : "descending");
}

function filter() {
  const status = document.getElementById("evidence-status").value;
  const words = document.getElementById("evidence-words").value.toLowerCase();
  const rows = [...document.getElementById("evidence-table").tBodies[0].rows];
  for (const row of rows) {
    const fits = !status || row.cells[0].dataset.sort === status;
    row.hidden = !(fits && row.textContent.toLowerCase().includes(words));
  }
  document.getElementById("evidence-count").textContent = `${rows.filter((row) => !row.hidden).length} of ${rows.length} shown`;
}

for (const button of document.querySelectorAll("th button")) {
  const heading = button.parentElement;
  button.addEventListener("click", () => order(heading.closest("table"), heading.cellIndex, heading));
}
if (document.getElementById("evidence-status")) {
  document.getElementById("evidence-status").addEventListener("input", filter);
  document.getElementById("evidence-words").addEventListener("input", filter);
}
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
draw();
