"use strict";
// Of text that begins with a number, that number: "0.764 ± 0.002" is sorted as 0.764. A dash comes last.
function key(text) {
  const found = text.replaceAll("\u2212", "-").match(/^[<>\s]*([-+]?\d*\.?\d+(?:[eE][-+]?\d+)?)/);
  return found ? Number(found[1]) : NaN;
}
function sortRows(head) {
  const table = head.closest("table"), body = table.tBodies[0];
  const at = head.cellIndex, up = head.getAttribute("aria-sort") !== "ascending";
  const isNumber = head.classList.contains("number");
  const words = new Intl.Collator(undefined, {numeric: true});
  const rows = Array.from(body.rows, row => ({row, text: row.cells[at].textContent.trim()}));
  for (const each of rows) { each.key = isNumber ? key(each.text) : each.text; each.none = each.text === "–"; }
  rows.sort((a, b) => {
    if (a.none || b.none) return a.none - b.none;
    const order = isNumber ? a.key - b.key : words.compare(a.text, b.text);
    return up ? order : -order;
  });
  body.append(...rows.map(each => each.row));
  for (const other of table.tHead.rows[0].cells) other.setAttribute("aria-sort", "none");
  head.setAttribute("aria-sort", up ? "ascending" : "descending");
}
for (const button of document.querySelectorAll("thead button")) {
  button.addEventListener("click", () => sortRows(button.closest("th")));
}
// A point of a drawing writes what it is below the drawing, which a touch or the keyboard reach as well as a mouse.
function pick(point) {
  const figure = point.closest("figure");
  for (const other of figure.querySelectorAll("circle.chosen")) other.classList.remove("chosen");
  point.classList.add("chosen");
  figure.querySelector(".picked").textContent = point.querySelector("title").textContent;
}
for (const point of document.querySelectorAll(".points circle")) {
  for (const event of ["pointerenter", "focus", "click"]) point.addEventListener(event, () => pick(point));
}
for (const drawing of document.querySelectorAll(".points")) pick(drawing.querySelector("circle"));
