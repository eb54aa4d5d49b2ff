// Sorts a table by the column whose heading is pressed. Without this its rows stay in the order in which they came.
"use strict";
const words = new Intl.Collator("en", { numeric: true, sensitivity: "base" });
const said = (row, column) => {
  const cell = row.cells[column];
  return cell.querySelector("time")?.dateTime ?? cell.textContent.trim();
};
// Numbers have thousands apart and units behind them; what is none comes last.
const counted = (text) => {
  const found = text.replaceAll(/[, ](?=\d{3})/g, "").match(/-?\d+(\.\d+)?/);
  return found ? Number(found[0]) : Infinity;
};
for (const table of document.querySelectorAll("table[data-sorts]")) {
  const body = table.tBodies[0];
  const heads = [...table.tHead.rows[0].cells];
  if (body.rows.length < 2 || [...body.rows].some((row) => row.cells.length !== heads.length)) continue;
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "sort";
    button.append(...head.childNodes);
    head.append(button);
    const isNumber = head.classList.contains("number");
    button.addEventListener("click", () => {
      const order = head.getAttribute("aria-sort") === "ascending" ? "descending" : "ascending";
      for (const other of heads) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", order);
      const sign = order === "ascending" ? 1 : -1;
      const rows = [...body.rows].map((row) => [said(row, column), row]);
      rows.sort(([one], [other]) => {
        if (!isNumber) return sign * words.compare(one, other);
        const [a, b] = [counted(one), counted(other)];
        return a === b ? 0 : sign * (a < b ? -1 : 1);
      });
      body.append(...rows.map(([, row]) => row));
    });
  });
}
