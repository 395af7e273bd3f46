"use strict";
// Everything shown is already in the page as text; this script only shows one item at a time and keeps answers.
(() => {
  const byId = (id) => document.getElementById(id);
  const study = document.documentElement.dataset.study;
  const items = [...document.querySelectorAll("section.item")];
  const answers = [...document.querySelectorAll("button.answer")];
  let rater = "", order = [], votes = {}, at = 0, since = 0, lasting = true;

  // A small generator (mulberry32) seeded by study and rater: each rater has an order of their own, always the same.
  const generator = (text) => {
    let state = 2166136261;
    for (const character of text) state = Math.imul(state ^ character.codePointAt(0), 16777619);
    return () => {
      state = (state + 0x6d2b79f5) | 0;
      let t = Math.imul(state ^ (state >>> 15), 1 | state);
      t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
      return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
    };
  };

  const shuffled = (list, random) => {
    const found = [...list];
    for (let i = found.length - 1; i > 0; i--) {
      const j = Math.floor(random() * (i + 1));
      [found[i], found[j]] = [found[j], found[i]];
    }
    return found;
  };

  const place = () => `evalsuite-study/${study}/${rater}`;

  const load = () => {
    try {
      return JSON.parse(localStorage.getItem(place()) ?? "{}");
    } catch {
      return {};
    }
  };

  const keep = () => {
    try {
      localStorage.setItem(place(), JSON.stringify(votes));
    } catch {
      lasting = false;
    }
    byId("storage").hidden = lasting;
  };

  const show = () => {
    for (const item of items) item.hidden = true;
    const done = Object.keys(votes).length;
    byId("progress").value = done;
    byId("count").textContent = `${done} of ${items.length}`;
    const ended = at >= order.length;
    byId("end").hidden = !ended;
    byId("ask").hidden = ended;
    if (!ended) {
      const item = order[at];
      item.hidden = false;
      const given = votes[item.dataset.item]?.answer;
      for (const button of answers) button.classList.toggle("chosen", button.dataset.answer === given);
      since = performance.now();
      window.scrollTo(0, 0);
    }
  };

  const vote = (answer) => {
    if (at >= order.length) return;
    const seconds = Math.round((performance.now() - since) / 100) / 10;
    votes[order[at].dataset.item] = { answer, at: new Date().toISOString(), seconds };
    keep();
    at += 1;
    show();
  };

  const back = () => {
    if (at > 0) {
      at -= 1;
      show();
    }
  };

  const download = () => {
    const rows = Object.entries(votes).map(([item, given]) => ({ item, ...given }));
    const content = JSON.stringify({ study, rater, votes: rows }, null, 1);
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([content], { type: "application/json" }));
    link.download = `votes-${rater.replace(/[^A-Za-z0-9_-]+/g, "_")}.json`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  };

  const begin = (event) => {
    event.preventDefault();
    rater = byId("rater").value.trim();
    if (!rater) return;
    order = shuffled(items, generator(`${study}/${rater}`));
    const known = new Set(items.map((item) => item.dataset.item));
    votes = Object.fromEntries(Object.entries(load()).filter(([item]) => known.has(item)));
    at = order.findIndex((item) => !(item.dataset.item in votes));
    if (at < 0) at = order.length;
    keep();
    byId("welcome").hidden = true;
    byId("rating").hidden = false;
    show();
  };

  byId("begin").addEventListener("submit", begin);
  byId("back").addEventListener("click", back);
  byId("download").addEventListener("click", download);
  byId("download-end").addEventListener("click", download);
  for (const button of answers) button.addEventListener("click", () => vote(button.dataset.answer));
  document.addEventListener("keydown", (event) => {
    if (byId("rating").hidden || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    if (event.key === "ArrowLeft" || event.key === "Backspace") return back();
    const number = Number(event.key);
    if (Number.isInteger(number) && number >= 1 && number <= answers.length) {
      vote(answers[number - 1].dataset.answer);
    }
  });
})();
