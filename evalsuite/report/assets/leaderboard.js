/* The leaderboard: sorting, filters, choice of columns; all of it in the address. */
"use strict";
(function () {
  const { readState, writeState, typing } = window.Evalsuite;
  const table = document.getElementById("board");
  if (!table) return;
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const heads = [...table.tHead.rows[0].cells];
  const models = document.getElementById("models");
  const tasks = document.getElementById("tasks");
  const boxes = [...document.querySelectorAll("#choose input[data-column]")];
  const headlines = boxes.filter((box) => box.dataset.headline !== undefined).map((box) => box.dataset.column).join(".");
  let sorted = { by: "", descending: true };
  document.getElementById("tools").hidden = false;

  function contains(text, wanted) {
    return wanted.trim().toLowerCase().split(/\s+/).every((word) => text.toLowerCase().includes(word));
  }

  function key(row) {
    if (sorted.by === "model") return row.dataset.model;
    const value = row.cells[Number(sorted.by) + 1].dataset.key;
    return value === undefined ? null : Number(value);
  }

  function compare(a, b) {
    const order = Number(a.dataset.order) - Number(b.dataset.order);
    if (sorted.by === "") return order;
    const [first, second] = [key(a), key(b)];
    if (first === null || second === null) return first === second ? order : first === null ? 1 : -1;
    const way = typeof first === "string" ? first.localeCompare(second) : first - second;
    return (sorted.descending ? -way : way) || order;
  }

  function show() {
    const chosen = new Set(boxes.filter((box) => box.checked).map((box) => box.dataset.column));
    let columns = 0;
    heads.forEach((head, i) => {
      if (i === 0) return;
      const visible = chosen.has(head.dataset.column) && contains(head.dataset.task, tasks.value);
      columns += visible;
      head.hidden = !visible;
      for (const row of rows) row.cells[i].hidden = !visible;
      head.setAttribute("aria-sort", sorted.by === head.dataset.column ? (sorted.descending ? "descending" : "ascending") : "none");
    });
    heads[0].setAttribute("aria-sort", sorted.by === "model" ? (sorted.descending ? "descending" : "ascending") : "none");
    let count = 0;
    for (const row of rows) {
      row.hidden = !contains(row.dataset.model, models.value);
      count += !row.hidden;
    }
    body.append(...rows.sort(compare));
    const empty = !count || !columns;
    document.getElementById("none").hidden = !empty;
    table.hidden = empty;
    document.getElementById("count").textContent = count === rows.length && columns === heads.length - 1 ? "" : `${count} of ${rows.length} models, ${columns} of ${heads.length - 1} columns`;
    const picked = [...chosen].join(".");
    writeState([["q", models.value], ["tasks", tasks.value], ["columns", picked === headlines ? "" : picked], ["sort", sorted.by && sorted.by + (sorted.descending ? "" : ".up")]]);
  }

  function restore() {
    const state = readState();
    models.value = state.get("q") || "";
    tasks.value = state.get("tasks") || "";
    if (state.has("columns")) {
      const chosen = state.get("columns").split(".");
      for (const box of boxes) box.checked = chosen.includes(box.dataset.column);
    }
    const [by, way] = (state.get("sort") || "").split(".");
    if (by === "model" || heads.some((head) => head.dataset.column === by)) sorted = { by, descending: way !== "up" };
  }

  for (const button of table.querySelectorAll("button[data-sort]")) {
    button.addEventListener("click", () => {
      const by = button.dataset.sort;
      const first = by !== "model"; /* numbers: best first; names: from A */
      sorted = sorted.by !== by ? { by, descending: first } : sorted.descending === first ? { by, descending: !first } : { by: "", descending: true };
      show();
    });
  }
  for (const control of [models, tasks, ...boxes]) control.addEventListener("input", show);
  for (const button of document.querySelectorAll("#choose [data-preset]")) {
    button.addEventListener("click", () => {
      for (const box of boxes) box.checked = button.dataset.preset === "all" || box.dataset.headline !== undefined;
      show();
    });
  }
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && !typing(event)) {
      event.preventDefault();
      models.focus();
    } else if (event.key === "Escape" && (event.target === models || event.target === tasks)) {
      event.target.value = "";
      event.target.blur();
      show();
    }
  });
  restore();
  show();
})();
