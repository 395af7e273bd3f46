/* The samples that are found, as a file that the page itself makes: CSV for tables, JSON for programs. */
"use strict";
(function () {
  const { make, ABSENT, FAILED } = window.Evalsuite;
  const stateNames = { [FAILED]: "failed", [ABSENT]: "not asked" };

  /* One object per sample; per model its answer, state and scores in natural units. */
  async function records(index, rows, places) {
    const found = new Array(places.length);
    /* File by file, whatever the order of the list: each is read once. */
    for (const position of Array.from(places, (_, i) => i).sort((x, y) => places[x] - places[y])) {
      const place = places[position];
      const number = Math.floor(place / index.rows);
      const [id, prompt, reference, said] = (await rows(number))[place - number * index.rows];
      const labels = Object.fromEntries(Object.entries(index.labels).map(([name, column]) => [name, column.values[column.codes[place]]]));
      const answers = index.columns.map((model, column) => ({
        model, answer: said[column], state: stateNames[index.states[column][place]] || "answered",
        scores: index.scores.map((score) => ({ name: score.name, rules: score.rules, value: rounded(score.data[column][place]) })),
      }));
      found[position] = { id, prompt, reference, labels, answers };
    }
    return found;
  }

  /* Numbers are 32-bit here; six digits are what they hold. */
  function rounded(value) {
    return Number.isNaN(value) ? null : Number(value.toPrecision(6));
  }

  /* A text that spreadsheets would compute gets an apostrophe in front. */
  function cell(value) {
    if (value === null || value === undefined) return "";
    if (typeof value === "number") return String(value);
    const safe = /^[=+\-@\t\r]/.test(value) ? "'" + value : value;
    return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  }

  function csv(index, found) {
    const rules = new Set(index.scores.map((score) => score.rules));
    const names = index.scores.map((score) => (rules.size > 1 ? `${score.name} ${score.rules}` : score.name));
    const labels = Object.keys(index.labels);
    const head = ["id", "prompt", "reference", ...labels, ...index.columns.flatMap((model) => ["answer", "state", ...names].map((name) => `${model}: ${name}`))];
    const lines = found.map((one) => [one.id, one.prompt, one.reference, ...labels.map((name) => one.labels[name]),
      ...one.answers.flatMap((answer) => [answer.answer, answer.state, ...answer.scores.map((score) => score.value)])]);
    return [head, ...lines].map((line) => line.map(cell).join(",")).join("\r\n") + "\r\n";
  }

  function save(name, type, text) {
    const address = URL.createObjectURL(new Blob([text.toWellFormed ? text.toWellFormed() : text], { type }));
    const link = make("a", { href: address, download: name });
    document.body.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(address), 10000);
  }

  /* Two buttons. given: {page, rows(number), places(), fail(error)} */
  function exporting(index, given) {
    const button = (kind, type, write) => make("button", { type: "button", class: "quiet", "data-export": kind, title: `Save the samples in this list as ${kind.toUpperCase()}`, onclick: async (event) => {
      event.target.disabled = true;
      try {
        save(`${given.page}.${kind}`, type, write(await records(index, given.rows, given.places())));
      } catch (error) { given.fail(error); }
      event.target.disabled = false;
    } }, kind.toUpperCase());
    return [button("csv", "text/csv;charset=utf-8", (found) => csv(index, found)), button("json", "application/json", (found) => JSON.stringify(found, null, 1))];
  }

  Object.assign(window.Evalsuite, { exporting });
})();
