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
