// Tables of the class "browse" are sorted by any column, and filtered by their first one and by a choice.
"use strict";
const order = new Intl.Collator(undefined, { numeric: true });

function browse(table) {
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const heads = [...table.tHead.rows[0].cells];
  const texts = rows.map((row) => [...row.cells].map((cell) => cell.textContent));
  const at = new Map(rows.map((row, i) => [row, i]));

  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      heads.forEach((h) => h.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const numeric = head.classList.contains("n");
      const values = texts.map((t) => (numeric ? parseFloat(t[column]) : t[column]));
      const missing = (v) => v === "" || Number.isNaN(v);
      const compare = (a, b) => {
        const [x, y] = [values[at.get(a)], values[at.get(b)]];
        if (missing(x) || missing(y)) return missing(x) - missing(y); // last, whichever way it is sorted
        const sign = numeric ? x - y : order.compare(x, y);
        return (down ? -sign : sign) || at.get(a) - at.get(b);
      };
      body.append(...[...rows].sort(compare));
    });
  });

  const form = table.closest(".sheet").querySelector(".filter");
  const [words, choice, status] = ["input", "select", "[role=status]"].map((s) => form.querySelector(s));
  const filter = () => {
    const wanted = words.value.trim().toLowerCase();
    let shown = 0;
    rows.forEach((row, i) => {
      const fits = texts[i][0].toLowerCase().includes(wanted);
      row.hidden = !(fits && (!choice || !choice.value || texts[i][choice.dataset.column] === choice.value));
      shown += !row.hidden;
    });
    status.textContent = `${shown} of ${rows.length} ${status.dataset.unit} shown`;
  };
  if (choice) {
    const values = [...new Set(texts.map((t) => t[choice.dataset.column]))].sort(order.compare);
    choice.append(...values.map((v) => new Option(v, v)));
    choice.addEventListener("change", filter);
  }
  words.addEventListener("input", filter);
  form.hidden = false;
  filter();
}

document.querySelectorAll("table.browse").forEach(browse);

// What is folded on the screen is on paper all the same.
let folded = [];
addEventListener("beforeprint", () => {
  folded = [...document.querySelectorAll("details:not([open])")];
  folded.forEach((d) => { d.open = true; });
});
addEventListener("afterprint", () => folded.forEach((d) => { d.open = false; }));
