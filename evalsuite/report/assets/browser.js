/* The sample browser: filters, the list or gallery, the open sample; all of it in the address. */
"use strict";
(function () {
  const E = window.Evalsuite;
  const { make, text, load, readState, writeState, typing, VirtualList, Index, ABSENT, FAILED } = E;
  const root = document.getElementById("browser");
  const page = root.dataset.page;
  const list = document.getElementById("list");
  const detail = document.getElementById("detail");
  const form = document.getElementById("filters");
  const found = document.getElementById("found");
  const progress = document.getElementById("progress");
  const view = document.getElementById("view");
  const home = document.title;
  const rowsOf = E.remembering(64, (number) => load(`${page}/rows-${number}`));
  const samplesOf = E.remembering(12, (number) => load(`${page}/samples-${number}`));
  let index, virtual, places = new Uint32Array(0), current = -1, open = false, gallery = false, controls, mask = null, search = 0;
  root.hidden = false;

  function fail(error) {
    found.textContent = error.message;
    found.classList.add("failure");
  }

  /* filters */

  function select(name, options, label) {
    const control = make("select", { name }, ...options.map(([value, shown]) => make("option", { value }, shown)));
    return [control, make("label", {}, make("span", {}, label), control)];
  }

  function build() {
    const columns = index.columns.map((name, i) => [String(i), name]);
    const several = columns.length > 1;
    const [a, labelA] = select("a", columns, "model");
    const [b, labelB] = select("b", columns, "beside");
    const [score, labelScore] = select("score", index.scores.map((one, i) => [String(i), index.scores.some((other) => other.rules !== one.rules) ? `${one.name}, ${one.rules}` : one.name]), "score");
    const [outcome, labelOutcome] = select("outcome", [["", "any"], ["full", "full score"], ["part", "in between"], ["zero", "zero"], ["failed", "failed"], ["anyfailed", "failed in any model"], ["absent", "not asked"]], "result");
    const [relation, labelRelation] = select("relation", [["", "no condition"], ["scores", "scores differ"], ["better", "model is better"], ["worse", "model is worse"], ["answers", "answers differ"]], "comparison");
    const [sort, labelSort] = select("sort", [["", "the benchmark's"], ["low", "lowest score first"], ["high", "highest score first"], ["gap", "largest difference first"]], "order");
    const bound = (name, label) => {
      const control = make("input", { type: "number", name, step: "any", inputmode: "decimal" });
      return [control, make("label", { class: "bound" }, make("span", {}, label), control)];
    };
    const [low, labelLow] = bound("low", "from"), [high, labelHigh] = bound("high", "to");
    const query = make("input", { type: "search", name: "q", placeholder: "Search ids, prompts, answers", autocomplete: "off", spellcheck: "false" });
    const labels = Object.entries(index.labels).map(([name, column]) => {
      const values = column.values.filter((value) => value !== null).sort((x, y) => x.localeCompare(y, "en", { numeric: true }));
      return select("label." + name, [["", "any"], ...values.map((value) => [value, value])], name.replaceAll("_", " "));
    });
    const shown = columns.map(([value, name]) => {
      const colour = index.colours[Number(value)];
      return make("label", { class: "chip" }, make("input", { type: "checkbox", name: "show", value }), " ",
        make("span", { class: `dot c${colour % 8} s${Math.floor(colour / 8) % 3}`, "aria-hidden": "true" }), name);
    });
    if (several) b.value = "1";
    const scored = index.scores.length > 0;
    const main = make("div", { class: "line" }, make("label", { class: "search" }, make("span", { class: "sr" }, "Search"), query, make("kbd", {}, "/")),
      labelA, scored ? labelScore : null, labelOutcome, several ? labelRelation : null, several ? labelB : null,
      make("button", { type: "button", class: "quiet", id: "clear", onclick: reset }, "Reset"),
      make("button", { type: "button", class: "quiet", title: "Keys", onclick: () => document.getElementById("help").showModal() }, "?"));
    const more = make("details", { class: "more-filters" }, make("summary", {}, "More filters"),
      make("div", { class: "line" }, ...labels.map(([, label]) => label), scored ? [labelLow, labelHigh, labelSort] : null),
      several ? make("fieldset", { class: "models" }, make("legend", { class: "faint" }, "Side by side"), ...shown) : null);
    form.append(main, more);
    controls = { a, b, score, outcome, relation, sort, low, high, query, more, labels: Object.fromEntries(labels.map(([control]) => [control.name.slice(6), control])), shown: shown.map((label) => label.querySelector("input")) };
    form.addEventListener("submit", (event) => event.preventDefault());
    const changed = (event) => {
      if (event.target.name === "show") {
        layout();
        openSample(false);
      } else if (event.target === query) seek();
      else apply();
      remember();
    };
    /* Fields tell while one types; choices tell once they are made. */
    const field = (event) => event.target.matches("[type=search], [type=number]");
    form.addEventListener("input", (event) => field(event) && changed(event));
    form.addEventListener("change", (event) => field(event) || changed(event));
  }

  const crowded = 4; /* so many models are side by side at first */
  function columnsShown() {
    const chosen = controls.shown.filter((box) => box.checked).map((box) => Number(box.value));
    return chosen.length ? chosen : [Number(controls.a.value)];
  }

  function restore() {
    const state = readState();
    for (const name of ["a", "b"]) {
      const place = index.columns.indexOf(state.get(name));
      if (place >= 0) controls[name].value = String(place);
    }
    for (const name of ["outcome", "relation", "sort", "low", "high", "score"]) if (state.has(name)) controls[name].value = state.get(name);
    for (const name of ["outcome", "relation", "sort"]) if (controls[name].selectedIndex < 0) controls[name].value = "";
    if (controls.score.selectedIndex < 0 && index.scores.length) controls.score.value = "0";
    for (const [name, control] of Object.entries(controls.labels)) {
      control.value = state.get("label." + name) || "";
      if (control.selectedIndex < 0) control.value = "";
    }
    controls.query.value = state.get("q") || "";
    const show = state.get("show");
    const wanted = show ? show.split(".").map(Number) : null;
    controls.shown.forEach((box, i) => { box.checked = wanted ? wanted.includes(i) : i < crowded; });
    gallery = state.get("view") === "gallery";
    controls.more.open = [...Object.values(controls.labels), controls.low, controls.high, controls.sort].some((control) => control.value !== "");
  }

  function remember() {
    const first = controls.shown.map((box, i) => (box.checked ? i : -1)).filter((i) => i >= 0);
    const usual = controls.shown.map((box, i) => i).filter((i) => i < crowded);
    const several = index.columns.length > 1;
    writeState({
      sample: open && current >= 0 ? openId : "",
      view: gallery ? "gallery" : "",
      q: controls.query.value,
      a: Number(controls.a.value) > 0 ? index.columns[Number(controls.a.value)] : "",
      b: several && controls.relation.value ? index.columns[Number(controls.b.value)] : "",
      score: Number(controls.score.value) > 0 ? controls.score.value : "",
      outcome: controls.outcome.value,
      relation: controls.relation.value,
      sort: controls.sort.value,
      low: controls.low.value,
      high: controls.high.value,
      ...Object.fromEntries(Object.entries(controls.labels).map(([name, control]) => ["label." + name, control.value])),
      show: first.join(".") === usual.join(".") ? "" : first.join("."),
    });
  }

  function reset() {
    form.reset();
    controls.a.value = "0";
    if (index.columns.length > 1) controls.b.value = "1";
    controls.shown.forEach((box, i) => { box.checked = i < crowded; });
    mask = null;
    search += 1;
    progress.textContent = "";
    apply();
    remember();
  }

  function apply() {
    const at = current >= 0 && current < places.length ? places[current] : -1;
    const scale = index.scores.length ? index.scores[Number(controls.score.value)].scale : 1;
    const bound = (control, slack) => (control.value === "" || Number.isNaN(control.valueAsNumber) ? null : control.valueAsNumber / scale + slack);
    places = index.filter({
      a: Number(controls.a.value), b: Number(controls.b.value), score: Number(controls.score.value),
      outcome: controls.outcome.value, relation: controls.relation.value, sort: controls.sort.value,
      low: bound(controls.low, -1e-6), high: bound(controls.high, 1e-6),
      labels: Object.fromEntries(Object.entries(controls.labels).filter(([, control]) => control.value !== "").map(([name, control]) => [name, control.value])),
      mask,
    });
    found.textContent = places.length === index.count ? `${index.count.toLocaleString("en")} samples` : `${places.length.toLocaleString("en")} of ${index.count.toLocaleString("en")} samples`;
    current = places.indexOf(at);
    virtual.reset(places.length);
    if (current >= 0) virtual.show(current);
    else list.scrollTop = 0;
    mark();
  }

  /* Free text: through the rows, file by file, so that what is found shows while the search goes on. */
  async function seek() {
    const number = (search += 1);
    const words = controls.query.value.trim().toLowerCase().split(/\s+/).filter(Boolean);
    if (!words.length) {
      mask = null;
      progress.textContent = "";
      apply();
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, 150));
    if (number !== search) return;
    const hits = new Uint8Array(index.count);
    mask = hits;
    const files = Math.ceil(index.count / index.rows);
    let told = performance.now();
    for (let i = 0; i < files; i++) {
      let rows;
      try { rows = await rowsOf(i); } catch (error) { fail(error); return; }
      if (number !== search) return;
      rows.forEach((row, j) => {
        const whole = [row[0], row[1], row[2], ...row[3]].join("\n").toLowerCase();
        if (words.every((word) => whole.includes(word))) hits[i * index.rows + j] = 1;
      });
      if (performance.now() - told > 250 && i + 1 < files) {
        told = performance.now();
        progress.textContent = `searching: ${Math.round((100 * (i + 1)) / files)} %`;
        apply();
      }
    }
    progress.textContent = "";
    apply();
  }

  /* the list */

  function chip(column, place) {
    const state = index.states[column][place];
    const score = Number(controls.score.value);
    const quality = index.quality(score, column, place);
    const kind = state === ABSENT ? "none" : state === FAILED ? "failed" : quality === null ? "none" : E.grade(quality);
    const value = index.scores.length ? index.shown(score, index.scores[score].data[column][place]) : "";
    const told = state === FAILED ? "failed" : state === ABSENT ? "not asked" : value;
    return make("span", { class: "mark " + kind, title: `${index.columns[column]}: ${told}` }, state === FAILED ? "×" : "");
  }

  const chipsMost = 12;
  function chips(place) {
    return make("span", { class: "marks-row", "aria-hidden": "true" }, ...index.columns.slice(0, chipsMost).map((_, column) => chip(column, place)));
  }

  function draw(position) {
    const place = places[position];
    const item = make("div", { class: gallery ? "item tile" : "item", role: "option", id: "item-" + position, "aria-selected": position === current, "aria-posinset": position + 1, "aria-setsize": places.length });
    item.addEventListener("click", () => go(position, true));
    const number = Math.floor(place / index.rows);
    rowsOf(number).then((rows) => fill(item, rows[place - number * index.rows], place), fail);
    return item;
  }

  function fill(item, row, place) {
    const [id, prompt, reference, said, source, drawn] = row;
    if (gallery) {
      const columns = columnsShown();
      const tiles = [];
      if (source && source.s) tiles.push(tile(source, "source"));
      for (const column of columns) if (drawn && drawn[column] && drawn[column].s) tiles.push(tile(drawn[column], index.columns[column], chip(column, place)));
      item.replaceChildren(make("div", { class: "tiles" }, ...tiles), make("p", { class: "words" }, text(prompt || said[columns[0]] || id)));
      return;
    }
    const line = prompt || said[Number(controls.a.value)] || reference;
    const picture = source && source.s ? source : drawn ? drawn.find((image) => image && image.s) : null;
    item.replaceChildren(
      picture ? make("img", { class: "thumb", src: E.thumbnail(picture), alt: "", loading: "lazy" }) : make("span", { class: "thumb blank" }),
      make("div", { class: "lines" }, make("p", { class: "words" }, text(line)), make("p", { class: "under" }, make("span", { class: "id" }, text(id)), chips(place))));
  }

  function tile(image, name, chip) {
    return make("figure", {}, make("img", { src: E.thumbnail(image), alt: name, loading: "lazy", class: Math.max(image.w, image.h) < 160 ? "small" : "" }), make("figcaption", {}, chip, name));
  }

  function cell() {
    if (!gallery) return { width: 0, height: 64 };
    const count = columnsShown().length + (index.capability === "edit" ? 1 : 0);
    /* As many samples in a line as fit best, their pictures then as large as the line allows. */
    const room = (list.clientWidth || 800) - 2;
    const usual = count > 1 ? 136 : 200;
    const across = Math.min(count, Math.max(1, Math.floor((room - 24) / 108)));
    const perLine = Math.max(1, Math.round(room / (across * usual + 24)));
    const edge = Math.max(80, Math.min(192, Math.floor((room / perLine - 24) / across) - 8));
    list.style.setProperty("--edge", edge + "px");
    return { width: Math.floor(room / perLine), height: Math.ceil(count / across) * (edge + 25) + 68 };
  }

  function mark() {
    for (const [position, element] of virtual.items) element.setAttribute("aria-selected", position === current);
    if (current >= 0) list.setAttribute("aria-activedescendant", "item-" + current);
    else list.removeAttribute("aria-activedescendant");
  }

  function layout() {
    root.classList.toggle("gallery", gallery);
    root.classList.toggle("open", open);
    view.setAttribute("aria-pressed", gallery);
    view.textContent = gallery ? "List" : "Gallery";
    virtual.reset(places.length, cell());
    if (current >= 0) virtual.show(current);
  }

  /* the open sample */

  let openId = "";
  function go(position, opening) {
    if (!places.length) return;
    current = Math.max(0, Math.min(places.length - 1, position));
    virtual.show(current);
    mark();
    if (opening || (open && !gallery)) openSample(opening);
  }

  async function openSample(opening) {
    if (!opening && !open) return;
    if (current < 0 || current >= places.length) return;
    const place = places[current];
    const number = index.pageOf(place);
    let samples;
    try { samples = await samplesOf(number); } catch (error) { fail(error); return; }
    if (places[current] !== place) return;
    const sample = samples[place - index.starts[number]];
    openId = sample.id;
    const was = open;
    open = true;
    const step = (way, name, key) => make("button", { type: "button", class: "quiet", "aria-label": name, title: key, disabled: current + way < 0 || current + way >= places.length, onclick: () => go(current + way, true) }, way < 0 ? "↑" : "↓");
    const link = make("button", { type: "button", class: "quiet", title: "Copy the address of this sample", onclick: async () => {
      try { await navigator.clipboard.writeText(location.href); link.textContent = "Copied"; } catch (error) { link.textContent = "The address bar has it"; }
    } }, "Link");
    detail.replaceChildren(
      make("header", { class: "detail-head" },
        make("button", { type: "button", class: "quiet back", onclick: close }, "← List"),
        make("h2", {}, text(sample.id)),
        make("span", { class: "faint" }, `${(current + 1).toLocaleString("en")} of ${places.length.toLocaleString("en")}`),
        make("span", { class: "tail" }, step(-1, "Sample before", "k"), step(1, "Next sample", "j"), link)),
      ...E.showSample(index, sample, place, columnsShown(), Number(controls.score.value)).filter(Boolean));
    document.title = `${sample.id} · ${home}`;
    if (!was || gallery) layout();
    if (opening) {
      detail.scrollTop = 0;
      if (!was) detail.focus({ preventScroll: true });
    }
    remember();
  }

  function close() {
    open = false;
    document.title = home;
    detail.replaceChildren(hint());
    layout();
    remember();
    list.focus();
  }

  function hint() {
    return make("p", { class: "hint faint" }, "Choose a sample: ", make("kbd", {}, "j"), " ", make("kbd", {}, "k"), " to move, ", make("kbd", {}, "Enter"), " to open, ", make("kbd", {}, "?"), " for all keys.");
  }

  function keys(event) {
    const dialog = document.getElementById("help");
    if (dialog.open) return;
    if (event.key === "Escape") {
      if (form.contains(event.target)) { list.focus(); return; }
      if (open) close();
      return;
    }
    if (typing(event)) return;
    const perLine = virtual.perLine;
    const onRange = event.target.matches("input[type=range]");
    const arrows = !onRange && (event.target === list || event.target === document.body || !detail.contains(event.target));
    const steps = { j: 1, k: -1 };
    if (arrows) Object.assign(steps, { ArrowDown: perLine, ArrowUp: -perLine, PageDown: 10 * perLine, PageUp: -10 * perLine, Home: -places.length, End: places.length });
    if (arrows && gallery && !open) Object.assign(steps, { ArrowRight: 1, ArrowLeft: -1 });
    if (event.key in steps) {
      event.preventDefault();
      go(current < 0 ? 0 : current + steps[event.key], open);
    } else if ((event.key === "Enter" || event.key === "o") && (event.target === list || event.target === document.body)) {
      event.preventDefault();
      go(current < 0 ? 0 : current, true);
    } else if (event.key === "/") {
      event.preventDefault();
      controls.query.focus();
      controls.query.select();
    } else if (event.key === "g") {
      toggle();
    } else if (event.key === "?") {
      dialog.showModal();
    }
  }

  function toggle() {
    gallery = !gallery;
    if (gallery && open) close();
    layout();
    remember();
  }

  /* An address names a sample by its id; the ids are only loaded for that. */
  async function follow(id) {
    const ids = await load(`${page}/ids`);
    const place = ids.indexOf(id);
    if (place < 0) {
      progress.textContent = `There is no sample ${id} here.`;
      return;
    }
    let position = places.indexOf(place);
    if (position < 0) {
      reset(); /* the filters of the address hide it: the sample is what was linked to */
      position = places.indexOf(place);
    }
    go(position, true);
  }

  async function start() {
    index = new Index(await load(`${page}/index`));
    build();
    restore();
    virtual = new VirtualList(list, draw);
    detail.replaceChildren(hint());
    const wanted = readState().get("sample");
    layout();
    apply();
    if (controls.query.value) await seek();
    document.addEventListener("keydown", keys);
    view.addEventListener("click", toggle);
    window.addEventListener("hashchange", () => location.reload());
    if (wanted) await follow(wanted);
    else if (!gallery && window.matchMedia("(min-width: 901px)").matches && places.length) go(0, true);
    root.dataset.ready = "";
  }
  start().catch(fail);
})();
