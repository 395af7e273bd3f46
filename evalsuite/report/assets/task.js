/* A task's page: which metric and which models its charts show. */
"use strict";
(function () {
  const { readState, writeState } = window.Evalsuite;
  const tools = document.getElementById("tools");
  if (!tools) return;
  const measure = document.getElementById("measure");
  const articles = [...document.querySelectorAll("[data-measure]")];
  const boxes = [...tools.querySelectorAll("input[data-model]")];
  const crowded = 8; /* more models than colours: begin with the first few */
  tools.hidden = false;

  function show() {
    for (const article of articles) article.hidden = measure !== null && article.dataset.measure !== measure.value;
    const chosen = new Set(boxes.filter((box) => box.checked).map((box) => box.dataset.model));
    for (const element of document.querySelectorAll("main [data-model]")) {
      if (element.tagName === "INPUT") continue;
      if (element instanceof SVGElement) element.style.display = chosen.has(element.dataset.model) ? "" : "none";
      else element.hidden = !chosen.has(element.dataset.model);
    }
  }

  const state = readState();
  if (measure && articles.some((article) => article.dataset.measure === state.get("metric"))) measure.value = state.get("metric");
  const off = state.has("off") ? state.get("off").split(".") : null;
  boxes.forEach((box, i) => { box.checked = off ? !off.includes(String(i)) : i < crowded; });
  tools.addEventListener("change", () => {
    show();
    const left = boxes.flatMap((box, i) => (box.checked ? [] : [i]));
    writeState([["metric", measure && measure.selectedIndex > 0 ? measure.value : ""], ["off", left.join(".")]]);
  });
  show();
})();
