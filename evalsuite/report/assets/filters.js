/* The sample browser's filters: their controls, what they ask of the index, and their part of the address. */
"use strict";
(function () {
  const { make } = window.Evalsuite;
  const crowded = 4; /* so many models are side by side at first */

  const OUTCOMES = [["", "any"], ["full", "full score"], ["part", "in between"], ["zero", "zero"], ["failed", "failed"], ["anyfailed", "failed in any model"], ["absent", "not asked"]];
  const RELATIONS = [["", "no condition"], ["scores", "scores differ"], ["better", "model is better"], ["worse", "model is worse"], ["answers", "answers differ"]];
  const ORDERS = [["", "the benchmark's"], ["low", "lowest score first"], ["high", "highest score first"], ["gap", "largest difference first"]];

  function labelled(name, control, kind) {
    return make("label", { class: kind || null }, make("span", {}, name), control);
  }

  class Filters {
    /* changed(what): "search", "models" or "filter". */
    constructor(form, index, changed) {
      this.form = form;
      this.index = index;
      const select = (name, options) => make("select", { name }, ...options.map(([value, shown]) => make("option", { value }, shown)));
      const bound = (name) => make("input", { type: "number", name, step: "any", inputmode: "decimal" });
      const columns = index.columns.map((name, i) => [String(i), name]);
      const rules = new Set(index.scores.map((score) => score.rules));
      this.several = columns.length > 1;
      this.a = select("a", columns);
      this.b = select("b", columns);
      this.score = select("score", index.scores.map((score, i) => [String(i), rules.size > 1 ? `${score.name}, ${score.rules}` : score.name]));
      this.outcome = select("outcome", OUTCOMES);
      this.relation = select("relation", RELATIONS);
      this.sort = select("sort", ORDERS);
      this.low = bound("low");
      this.high = bound("high");
      this.query = make("input", { type: "search", name: "q", placeholder: "Search text and ids", autocomplete: "off", spellcheck: "false" });
      this.labels = Object.entries(index.labels).map(([name, column]) => {
        const values = column.values.filter((value) => value !== null).sort((x, y) => x.localeCompare(y, "en", { numeric: true }));
        return [name, select("label." + name, [["", "any"], ...values.map((value) => [value, value])])];
      });
      const texts = (column) => column.values.filter((value) => value !== null).sort((x, y) => x.localeCompare(y, "en", { numeric: true }));
      const few = (name, columns) => {
        const values = [...new Set(columns.filter(Boolean).flatMap(texts))];
        return values.length ? select(name, [["", "any"], ...values.map((value) => [value, value])]) : null;
      };
      this.reference = few("reference", [index.reference]);
      this.answer = few("answer", index.answers);
      this.other = this.several ? few("other", index.answers) : null;
      this.shown = columns.map(([value]) => make("input", { type: "checkbox", name: "show", value }));
      this.clear();
      this.#place();
      const tell = (event) => changed(event.target === this.query ? "search" : event.target.name === "show" ? "models" : "filter");
      /* Fields tell while one types; choices tell once they are made. */
      const field = (event) => event.target.matches("[type=search], [type=number]");
      form.addEventListener("input", (event) => field(event) && tell(event));
      form.addEventListener("change", (event) => field(event) || tell(event));
      form.addEventListener("submit", (event) => event.preventDefault());
    }

    #place() {
      const { index, several } = this;
      const scored = index.scores.length > 0;
      const chips = this.shown.map((box, i) => {
        const colour = index.colours[i];
        return make("label", { class: "chip" }, box, " ", make("span", { class: `dot c${colour % 8} s${Math.floor(colour / 8) % 3}`, "aria-hidden": "true" }), index.columns[i]);
      });
      this.more = make("details", { class: "more-filters" }, make("summary", {}, "More filters"),
        make("div", { class: "line" }, ...this.labels.map(([name, control]) => labelled(name.replaceAll("_", " "), control)),
          this.reference && labelled("reference", this.reference), this.answer && labelled("answer", this.answer), this.other && labelled("answer beside", this.other),
          scored ? [labelled("from", this.low, "bound"), labelled("to", this.high, "bound"), labelled("order", this.sort)] : null),
        several ? make("fieldset", { class: "models" }, make("legend", { class: "faint" }, "Side by side"), ...chips) : null);
      this.clearing = make("button", { type: "button", class: "quiet", id: "clear" }, "Reset");
      this.helping = make("button", { type: "button", class: "quiet", title: "Keys" }, "?");
      this.form.append(make("div", { class: "line" },
        make("label", { class: "search" }, make("span", { class: "sr" }, "Search"), this.query, make("kbd", {}, "/")),
        labelled("model", this.a), scored ? labelled("score", this.score) : null, labelled("result", this.outcome),
        several ? [labelled("comparison", this.relation), labelled("beside", this.b)] : null, this.clearing, this.helping), this.more);
    }

    /* Filters that compare a column with a value: [name in the address, control, column]. */
    get equal() {
      const { index } = this;
      return [
        ...this.labels.map(([name, control]) => ["label." + name, control, index.labels[name]]),
        ["reference", this.reference, index.reference], ["answer", this.answer, index.answers[this.model]],
        ["other", this.other, index.answers[Number(this.b.value)]],
      ].filter(([, control]) => control);
    }

    /* Sets a label's filter; whether there is one. */
    choose(label, value) {
      const found = this.labels.find(([name]) => name === label);
      if (!found) return false;
      found[1].value = value;
      this.more.open = true;
      return true;
    }

    clear() {
      for (const control of [this.outcome, this.relation, this.sort, this.low, this.high, this.query, ...this.equal.map(([, control]) => control)]) control.value = "";
      this.a.value = "0";
      this.b.value = this.several ? "1" : "0";
      if (this.index.scores.length) this.score.value = "0";
      this.shown.forEach((box, i) => { box.checked = i < crowded; });
    }

    get words() {
      return this.query.value.trim().toLowerCase().split(/\s+/).filter(Boolean);
    }

    get model() {
      return Number(this.a.value);
    }

    get scoreShown() {
      return Number(this.score.value);
    }

    /* The models that stand side by side. */
    get columns() {
      const chosen = this.shown.filter((box) => box.checked).map((box) => Number(box.value));
      return chosen.length ? chosen : [this.model];
    }

    /* What `Index.filter` is to find; mask: what free text has found, null where none is wanted. */
    wanted(mask) {
      const scale = this.index.scores.length ? this.index.scores[this.scoreShown].scale : 1;
      /* as displayed, so with its rounding, and that of 32-bit numbers */
      const bound = (control, way) => {
        if (control.value === "" || Number.isNaN(control.valueAsNumber)) return null;
        const value = control.valueAsNumber / scale;
        return value + way * 1e-6 * Math.max(1, Math.abs(value));
      };
      return {
        a: this.model, b: Number(this.b.value), score: this.scoreShown,
        outcome: this.outcome.value, relation: this.relation.value, sort: this.sort.value,
        low: bound(this.low, -1), high: bound(this.high, 1),
        equal: this.equal.filter(([, control]) => control.value !== "").map(([, control, column]) => [column || { codes: [], values: [] }, control.value]),
        mask,
      };
    }

    /* For the address: only what differs from the beginning. */
    get state() {
      const names = this.index.columns;
      const first = this.shown.flatMap((box, i) => (box.checked ? [i] : []));
      const usual = this.shown.flatMap((_, i) => (i < crowded ? [i] : []));
      return [
        ["q", this.query.value],
        ["a", this.model > 0 ? names[this.model] : ""],
        ["b", this.several && this.b.value !== "1" ? names[Number(this.b.value)] : ""],
        ["score", this.scoreShown > 0 ? this.score.value : ""],
        ...["outcome", "relation", "sort", "low", "high"].map((name) => [name, this[name].value]),
        ...this.equal.map(([name, control]) => [name, control.value]),
        ["show", first.join(".") === usual.join(".") ? "" : first.join(".")],
      ];
    }

    restore(state) {
      for (const name of ["a", "b"]) {
        const place = this.index.columns.indexOf(state.get(name));
        if (place >= 0) this[name].value = String(place);
      }
      const put = (control, value) => {
        if (value === null) return;
        const before = control.value;
        control.value = value;
        if (control.selectedIndex === -1) control.value = before; /* no such choice here */
      };
      for (const name of ["outcome", "relation", "sort", "low", "high", "score"]) put(this[name], state.get(name));
      for (const [name, control] of this.equal) put(control, state.get(name));
      put(this.query, state.get("q"));
      if (state.has("show")) {
        const wanted = state.get("show").split(".").map(Number);
        this.shown.forEach((box, i) => { box.checked = wanted.includes(i); });
      }
      this.more.open = [this.low, this.high, this.sort, ...this.equal.map(([, control]) => control)].some((control) => control.value !== "");
    }
  }

  Object.assign(window.Evalsuite, { Filters });
})();
