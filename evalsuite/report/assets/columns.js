/* The index of a task: its columns as typed arrays, and filters over them. No element is touched here. */
"use strict";
(function () {
  function bytes(base64) {
    const text = atob(base64);
    const found = new Uint8Array(text.length);
    for (let i = 0; i < text.length; i++) found[i] = text.charCodeAt(i);
    return found;
  }

  /* A packed column: `codes` into `values`, or `numbers` where there are too many values. */
  function unpack(packed) {
    if (packed.f !== undefined) return { values: null, numbers: new Float32Array(bytes(packed.f).buffer) };
    const raw = bytes(packed.d);
    return { values: packed.u, codes: packed.b === 1 ? raw : new Uint16Array(raw.buffer) };
  }

  /* A column of numbers; NaN where there is none. */
  function numbers(packed) {
    const column = unpack(packed);
    if (column.numbers) return column.numbers;
    const values = column.values.map((value) => (value === null ? NaN : value));
    const found = new Float32Array(column.codes.length);
    for (let i = 0; i < found.length; i++) found[i] = values[column.codes[i]];
    return found;
  }

  const ANSWERED = 0, FAILED = 1, ABSENT = 2;

  class Index {
    constructor(raw) {
      Object.assign(this, raw);
      this.labels = Object.fromEntries(Object.entries(raw.labels).map(([name, packed]) => [name, unpack(packed)]));
      this.scores = raw.scores.map((score) => ({ ...score, data: score.data.map(numbers) }));
      this.states = raw.states.map(numbers);
      this.classes = raw.classes.map(numbers);
      this.reference = raw.reference ? unpack(raw.reference) : null;
      this.answers = (raw.answers || []).map((packed) => (packed ? unpack(packed) : null));
      this.pictures = new Set(raw.pictures || []);
      for (const score of this.scores) {
        let low = Infinity, high = -Infinity;
        for (const column of score.data) for (const value of column) {
          if (value < low) low = value;
          if (value > high) high = value;
        }
        score.low = low <= high ? low : 0;
        score.high = low <= high ? high : 1;
      }
    }

    /* From 0, worst, to 1, best, among all samples; null where there is no score. */
    quality(score, column, place) {
      const one = this.scores[score];
      const value = one ? one.data[column][place] : NaN;
      if (Number.isNaN(value)) return null;
      const low = one.higher ? Math.min(0, one.low) : one.low;
      const high = one.higher ? Math.max(one.high, one.scale === 100 ? 1 : one.high) : one.high;
      const part = high > low ? (value - low) / (high - low) : 1;
      return one.higher ? part : 1 - part;
    }

    shown(score, value) {
      const one = this.scores[score];
      return Number.isNaN(value) || value === undefined || value === null ? "–" : (value * one.scale).toFixed(one.digits);
    }

    /* Places of the samples that fit, in the wanted order.
       wanted: {a, b, score, outcome, low, high, equal: [[column, value]], relation, sort, mask} */
    filter(wanted) {
      const found = new Uint32Array(this.count);
      const { a, b } = wanted;
      const state = this.states[a];
      const other = this.states[b];
      const score = this.scores[wanted.score];
      const mine = score ? score.data[a] : null;
      const theirs = score ? score.data[b] : null;
      const best = score ? (score.higher ? Math.max(score.high, score.scale === 100 ? 1 : score.high) : score.low) : NaN;
      const sign = score && !score.higher ? -1 : 1;
      const labels = wanted.equal.map(([column, value]) => [column.codes, column.values.indexOf(value)]);
      const low = wanted.low, high = wanted.high, mask = wanted.mask;
      let count = 0;
      next: for (let i = 0; i < this.count; i++) {
        if (mask && !mask[i]) continue;
        for (const [codes, code] of labels) if (codes[i] !== code) continue next;
        const value = mine ? mine[i] : NaN;
        switch (wanted.outcome) {
          case "full": if (!(value === best)) continue next; break;
          case "part": if (!(sign * value < sign * best) || value === 0) continue next; break;
          case "zero": if (value !== 0) continue next; break;
          case "failed": if (state[i] !== FAILED) continue next; break;
          case "anyfailed": if (!this.states.some((column) => column[i] === FAILED)) continue next; break;
          case "absent": if (state[i] !== ABSENT) continue next; break;
        }
        if (low !== null && !(value >= low)) continue;
        if (high !== null && !(value <= high)) continue;
        if (wanted.relation) {
          if (state[i] === ABSENT || other[i] === ABSENT) continue;
          const difference = mine ? sign * (mine[i] - theirs[i]) : NaN;
          switch (wanted.relation) {
            case "scores": if (!(difference !== 0) || Number.isNaN(difference)) continue next; break;
            case "better": if (!(difference > 0)) continue next; break;
            case "worse": if (!(difference < 0)) continue next; break;
            case "answers": if (this.classes[a][i] === this.classes[b][i]) continue next; break;
          }
        }
        found[count++] = i;
      }
      const places = found.subarray(0, count);
      if (wanted.sort && mine) {
        const keys = { low: (i) => mine[i], high: (i) => -mine[i], gap: (i) => -Math.abs(mine[i] - theirs[i]) }[wanted.sort];
        /* Sorting pairs of numbers keeps the data's order among equals; samples without a score come last. */
        const sorted = Array.from(places, (i) => [keys(i), i]);
        sorted.sort((x, y) => (Number.isNaN(x[0]) ? (Number.isNaN(y[0]) ? 0 : 1) : Number.isNaN(y[0]) ? -1 : x[0] - y[0]) || x[1] - y[1]);
        sorted.forEach((pair, i) => { places[i] = pair[1]; });
      }
      return places;
    }

    /* The number of the page of full samples that a place is on. */
    pageOf(place) {
      let low = 0, high = this.starts.length - 1;
      while (low < high) {
        const middle = (low + high + 1) >> 1;
        if (this.starts[middle] <= place) low = middle;
        else high = middle - 1;
      }
      return low;
    }
  }

  Object.assign(window.Evalsuite, { Index, ANSWERED, FAILED, ABSENT });
})();
