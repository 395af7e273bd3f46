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
  let index, virtual, places = new Uint32Array(0), current = -1, openPlace = -1, open = false, gallery = false, filters, mask = null, search = 0;
  root.hidden = false;

  function fail(error) {
    found.textContent = error.message;
    found.classList.add("failure");
  }

  /* filters */

  function changed(what) {
    if (what === "models") {
      layout();
      openSample(false);
    } else if (what === "search") seek();
    else apply();
    remember();
  }

  function remember() {
    writeState([["sample", open && current >= 0 ? openId : ""], ["view", gallery ? "gallery" : ""], ...filters.state]);
  }

  function reset() {
    filters.clear();
    mask = null;
    search += 1;
    progress.textContent = "";
    apply();
    layout();
    remember();
  }

  /* partly: a search that goes on; the open sample then stays. */
  function apply(partly) {
    const at = open ? openPlace : current >= 0 && current < places.length ? places[current] : -1;
    places = index.filter(filters.wanted(mask));
    found.textContent = places.length === index.count ? `${index.count.toLocaleString("en")} samples` : `${places.length.toLocaleString("en")} of ${index.count.toLocaleString("en")} samples`;
    current = places.indexOf(at);
    virtual.reset(places.length);
    if (current >= 0) virtual.show(current);
    else list.scrollTop = 0;
    mark();
    if (!open || partly) return;
    if (current >= 0) openSample(false);
    else if (places.length) go(0, false);
    else detail.replaceChildren(make("p", { class: "hint faint" }, "No sample fits these filters."));
  }

  /* Free text: through the rows, file by file, so that what is found shows while the search goes on. */
  async function seek() {
    const number = (search += 1);
    const words = filters.words;
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
        apply(true);
      }
    }
    progress.textContent = "";
    apply();
  }

  /* the list */

  function chip(column, place) {
    const state = index.states[column][place];
    const score = filters.scoreShown;
    const quality = index.quality(score, column, place);
    const kind = state === ABSENT ? "none" : state === FAILED ? "failed" : quality === null ? "none" : E.grade(quality);
    const value = index.scores.length ? index.shown(score, index.scores[score].data[column][place]) : "";
    const told = state === FAILED ? "failed" : state === ABSENT ? "not asked" : value;
    return make("span", { class: "mark " + kind, title: `${index.columns[column]}: ${told}` }, state === FAILED ? "×" : "");
  }

  /* A model's score of a sample as displayed; "failed" where it has none. */
  function value(column, place) {
    const state = index.states[column][place];
    if (state === FAILED) return "failed";
    return index.scores.length && state !== ABSENT ? index.shown(filters.scoreShown, index.scores[filters.scoreShown].data[column][place]) : "";
  }

  const chipsMost = 12;
  function chips(place) {
    return make("span", { class: "marks-row", "aria-hidden": "true" }, ...index.columns.slice(0, chipsMost).map((_, column) => chip(column, place)));
  }

  function draw(position) {
    const place = places[position];
    const item = make("div", { class: gallery ? "item tile" : "item", role: "option", id: "item-" + position, "aria-selected": String(position === current), "aria-posinset": position + 1, "aria-setsize": places.length });
    item.addEventListener("click", () => go(position, true));
    const number = Math.floor(place / index.rows);
    rowsOf(number).then((rows) => fill(item, rows[place - number * index.rows], place), fail);
    return item;
  }

  function fill(item, row, place) {
    const [id, prompt, reference, said, source, drawn, wanted] = row;
    if (gallery) {
      const columns = filters.columns;
      const shown = (column) => drawn && drawn[column] && drawn[column].s;
      const tiles = [];
      if (source && source.s) tiles.push(tile(source, "source"));
      if (wanted && wanted.s) tiles.push(tile(wanted, "reference"));
      for (const column of columns) if (shown(column)) tiles.push(tile(drawn[column], index.columns[column], chip(column, place), value(column, place)));
      item.replaceChildren(make("div", { class: "tiles" }, ...tiles), make("p", { class: "words" }, text(prompt || id)),
        ...columns.filter((column) => !shown(column)).map((column) => make("p", { class: "reply" }, chip(column, place),
          make("span", { class: "words" }, text(said[column] || "–")), make("span", { class: "worth" }, value(column, place)))));
      return;
    }
    const line = prompt || said[filters.model] || reference;
    const picture = source && source.s ? source : drawn ? drawn.find((image) => image && image.s) : null;
    item.replaceChildren(
      picture ? make("img", { class: "thumb", src: E.thumbnail(picture), alt: "", loading: "lazy" }) : make("span", { class: "thumb blank" }),
      make("div", { class: "lines" }, make("p", { class: "words" }, text(line)), make("p", { class: "under" }, make("span", { class: "id" }, text(id)), chips(place))));
  }

  function tile(image, name, chip, worth) {
    return make("figure", {}, make("img", { src: E.thumbnail(image), alt: name, loading: "lazy", class: Math.max(image.w, image.h) < 160 ? "small" : "" }),
      make("figcaption", { title: name }, chip, make("span", { class: "who" }, name), worth ? make("span", { class: "worth" }, worth) : null));
  }

  function cell() {
    if (!gallery) return { width: 0, height: 64 };
    const { pictures } = index;
    const drawn = pictures.has("answers") ? filters.columns.length : 0;
    const count = Math.max(1, drawn + (pictures.has("source") ? 1 : 0) + (pictures.has("reference") ? 1 : 0));
    /* As many samples in a line as fit best, their images then as large as the line allows: no width is left over. */
    const room = list.clientWidth || 800;
    const usual = count > 1 ? 168 : 220;
    const across = Math.min(count, Math.max(1, Math.floor((room - 16) / 128)));
    const perLine = Math.max(1, Math.round(room / (across * usual + 24)));
    const edge = Math.floor((room / perLine - 24 - 8 * (across - 1)) / across);
    list.style.setProperty("--edge", edge + "px");
    const replies = drawn ? 0 : filters.columns.length;
    return { width: room / perLine, height: (pictures.size ? Math.ceil(count / across) * (edge + 26) : 0) + 64 + 23 * replies };
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
    if (opening || open) openSample(opening);
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
    openPlace = place;
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
        make("span", { class: "tail" }, step(-1, "Previous sample", "k"), step(1, "Next sample", "j"), link)),
      ...E.showSample(index, sample, place, filters.columns, filters.scoreShown, choose).filter(Boolean));
    document.title = `${sample.id} · ${home}`;
    if (!was || gallery) layout();
    if (opening) {
      detail.scrollTop = 0;
      if (!was) detail.focus({ preventScroll: true });
    }
    remember();
  }

  function choose(label, value) {
    if (filters.choose(label, value)) changed("filter");
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
      filters.query.focus();
      filters.query.select();
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
    filters = new E.Filters(form, index, changed);
    filters.clearing.addEventListener("click", reset);
    filters.helping.addEventListener("click", () => document.getElementById("help").showModal());
    filters.restore(readState());
    document.getElementById("export").append(...E.exporting(index, { page, rows: rowsOf, places: () => places, fail }));
    gallery = readState().get("view") === "gallery";
    virtual = new VirtualList(list, draw);
    detail.replaceChildren(hint());
    const wanted = readState().get("sample");
    layout();
    apply();
    if (filters.query.value) await seek();
    document.addEventListener("keydown", keys);
    view.addEventListener("click", toggle);
    new ResizeObserver(() => gallery && virtual.reset(places.length, cell())).observe(list);
    window.addEventListener("hashchange", () => location.hash.includes("=") && location.reload());
    if (wanted) await follow(wanted);
    else if (!gallery && window.matchMedia("(min-width: 901px)").matches && places.length) go(0, true);
    root.dataset.ready = "";
  }
  start().catch(fail);
})();
