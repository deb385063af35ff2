"use strict";
// Theme: that of the system until the button is pressed.
const root = document.documentElement;
const theme = document.getElementById("theme");
const isDark = () => (root.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
const nameTheme = () => { theme.textContent = isDark() ? "Light colours" : "Dark colours"; };
theme.hidden = false;
nameTheme();
theme.addEventListener("click", () => { root.dataset.theme = isDark() ? "light" : "dark"; nameTheme(); });

// Series of a chart.
for (const button of document.querySelectorAll(".series button")) {
  button.addEventListener("click", () => {
    const visible = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", String(visible));
    for (const part of button.closest("figure").querySelectorAll(`svg [data-series="${button.dataset.shows}"]`)) {
      part.style.display = visible ? "" : "none";
    }
  });
}

// Sorting: numbers by size, empty cells last, equal rows stay in order.
const collator = new Intl.Collator(undefined, { numeric: true });
const keyOf = (row, column) => row.cells[column].dataset.value ?? row.cells[column].textContent.trim();
const status = document.getElementById("status");
for (const table of document.querySelectorAll("table.sortable")) {
  const headers = [...table.tHead.rows[0].cells];
  headers.forEach((header, column) => {
    header.querySelector("button").addEventListener("click", () => {
      const descending = header.ariaSort === "ascending" ||
        (header.ariaSort !== "descending" && header.classList.contains("number"));
      const rows = [...table.tBodies[0].rows];
      rows.sort((a, b) => {
        const [x, y] = [keyOf(a, column), keyOf(b, column)];
        if (x === "" || y === "") return (x === "") - (y === "");
        const [p, q] = [Number(x), Number(y)];
        const order = Number.isNaN(p) || Number.isNaN(q) ? collator.compare(x, y) : p - q;
        return descending ? -order : order;
      });
      table.tBodies[0].append(...rows);
      for (const other of headers) other.removeAttribute("aria-sort");
      header.setAttribute("aria-sort", descending ? "descending" : "ascending");
      status.textContent = `Sorted by ${header.textContent.trim()}, ${descending ? "descending" : "ascending"}`;
    });
  });
}
