/* One sample: prompt, reference, and the answers of several models side by side. All of it is untrusted text. */
"use strict";
(function () {
  const { up, make, text, slider, ABSENT } = window.Evalsuite;

  function file(image) {
    return `${up}images/${image.s.slice(0, 2)}/${image.s}${image.x}`;
  }
  function thumbnail(image) {
    return image.t ? `${up}thumbnails/${image.s.slice(0, 2)}/${image.s}.webp` : file(image);
  }

  /* An image at a size at which it can be seen, linked to the file; or the reason why it is not there. */
  function picture(image, alt) {
    if (!image.s) return make("span", { class: "absent" }, text(image.n || "image"), ": ", text(image.e || "not here"));
    const small = Math.max(image.w, image.h) < 160;
    const shown = make("img", { src: file(image), width: image.w, height: image.h, loading: "lazy", alt: alt || image.n || "image", class: small ? "small" : "" });
    if (small) {
      shown.style.width = image.w * Math.max(1, Math.floor(160 / Math.max(image.w, image.h))) + "px"; /* whole pixels */
    }
    return make("a", { class: "picture", href: file(image), title: `${image.n ? image.n + ", " : ""}${image.w}×${image.h}` }, shown);
  }

  function parts(list) {
    return list.map((part) => (typeof part === "string" ? text(part) : picture(part.i)));
  }

  function turn(role, list, note) {
    return make("div", { class: "turn " + (["system", "user", "assistant"].includes(role) ? role : "") },
      make("span", { class: "role" }, note ? `${role}, ${note}` : role), make("div", { class: "said" }, ...parts(list)));
  }

  function conversation(prompt) {
    return make("div", { class: "conversation" },
      ...prompt.m.map(([role, list]) => turn(role, list)),
      prompt.f ? turn("assistant", [prompt.f], "prefilled") : null);
  }

  /* A reference is any JSON the task gives. */
  function reference(value) {
    if (value === null || value === undefined) return make("span", { class: "faint" }, "none");
    if (typeof value !== "object") return text(String(value));
    if (value.i && typeof value.i === "object") return picture(value.i);
    if (Array.isArray(value)) {
      if (value.every((item) => typeof item !== "object")) {
        const counts = new Map();
        for (const item of value) counts.set(item, (counts.get(item) || 0) + 1);
        return make("ul", { class: "answers" }, ...[...counts].map(([item, count]) =>
          make("li", {}, text(String(item)), count > 1 ? make("span", { class: "faint" }, ` ×${count}`) : null)));
      }
      return make("ul", { class: "tree" }, ...value.map((item) => make("li", {}, reference(item))));
    }
    return make("dl", { class: "tree" }, ...Object.entries(value).flatMap(([name, item]) =>
      [make("dt", {}, text(name)), make("dd", {}, reference(item))]));
  }

  function choices(answer, prompt) {
    const numbers = answer.l.map((value) => (typeof value === "number" ? value : -Infinity));
    const best = numbers.indexOf(Math.max(...numbers));
    return make("table", { class: "plain choices" }, make("tbody", {}, ...answer.l.map((value, i) =>
      make("tr", { class: i === best ? "chosen" : "" },
        make("th", { scope: "row" }, text(prompt && prompt.c ? prompt.c[i] : `choice ${i + 1}`)),
        make("td", { class: "number" }, typeof value === "number" ? value.toFixed(3) : String(value)),
        make("td", { class: "faint" }, answer.n.length ? `${answer.n[i]} tokens` : "")))));
  }

  function said(answer, prompt, who) {
    switch (answer.k) {
      case "failed": return make("p", { class: "failure" }, "Failed: ", text(answer.e));
      case "text": return answer.x === "" ? make("p", { class: "faint" }, "(empty answer)") : make("div", { class: "said" }, text(answer.x));
      case "choices": return choices(answer, prompt);
      case "images": return make("div", { class: "drawn" }, ...answer.i.map((image) => picture(image, "drawn by " + who)));
      default: return make("div", { class: "said document" }, ...parts(answer.x));
    }
  }

  function remarks(answer, seconds) {
    const told = [];
    if (typeof answer.n === "number") told.push(answer.n === 1 ? "1 token" : `${answer.n} tokens`);
    if (answer.cut) told.push("cut at the token limit");
    if (seconds) told.push(`${seconds.toFixed(2)} s`);
    const line = told.length ? make("p", { class: "faint remarks" }, told.join(" · ")) : null;
    const details = answer.d ? make("details", { class: "more-details" }, make("summary", {}, "details"), make("pre", {}, text(answer.d))) : null;
    return [line, details];
  }

  function verdict(index, found, several) {
    const numbers = Object.entries(found.s).map(([name, value]) => {
      const place = index.scores.findIndex((score) => score.rules === found.r && score.name === name);
      const score = index.scores[place];
      return make("div", {}, make("dt", {}, name), make("dd", {}, score ? index.shown(place, value) : String(value)));
    });
    return make("div", { class: "verdict" },
      several ? make("p", { class: "faint" }, `rules ${found.r}`) : null,
      found.f ? make("p", { class: "failure" }, "No score: ", text(found.f)) : null,
      numbers.length ? make("dl", { class: "scores" }, ...numbers) : null,
      found.p ? make("p", { class: "parsed" }, make("span", { class: "faint" }, "understood as "), text(found.p)) : null);
  }

  function judged(list) {
    return make("details", { class: "more-details" }, make("summary", {}, list.length === 1 ? "what the judge said" : `what judges said (${list.length})`),
      ...list.map(([judge, words, failure]) => make("div", { class: "judge" }, make("p", { class: "faint" }, text(judge)),
        failure ? make("p", { class: "failure" }, "No judgement: ", text(failure)) : make("div", { class: "said" }, text(words)))));
  }

  function card(index, sample, column, place, score) {
    const name = index.columns[column];
    const answer = sample.a[column];
    const quality = index.quality(score, column, place);
    const colour = index.colours[column];
    const head = make("h3", {}, make("span", { class: `dot c${colour % 8} s${Math.floor(colour / 8) % 3}`, "aria-hidden": "true" }), name);
    const body = [];
    if (!answer) body.push(make("p", { class: "faint" }, index.states[column][place] === ABSENT ? "Not asked." : "No record."));
    else {
      const common = answer.s.length ? answer.s[0][0] : -1;
      answer.s.forEach(([prompt, given, seconds, unknown], i) => {
        const own = sample.p[prompt];
        const head = answer.s.length > 1 ? make("h4", {}, `Step ${i + 1}`) : null;
        const differs = prompt >= 0 && (i > 0 || common !== 0)
          ? make("details", {}, make("summary", {}, "its prompt"), conversation(own)) : null;
        body.push(make("div", { class: "step" }, head, differs,
          unknown ? make("p", { class: "faint" }, "Its prompt is unknown: ", text(unknown)) : null,
          said(given, own, name), ...remarks(given, seconds)));
      });
      body.push(...answer.v.map((found) => verdict(index, found, answer.v.length > 1)));
      if (answer.j) body.push(judged(answer.j));
    }
    const mark = make("span", { class: "gauge", "aria-hidden": "true" });
    if (quality !== null) mark.append(fill(quality));
    return make("section", { class: "card answer", "data-column": column, "aria-label": name }, make("header", {}, head, mark), ...body);
  }

  function fill(quality) {
    const part = make("i", { class: grade(quality) });
    part.style.width = Math.max(4, Math.round(100 * quality)) + "%";
    return part;
  }
  function grade(quality) {
    return quality >= 0.999 ? "good" : quality <= 0.001 ? "bad" : "middle";
  }

  /* Pictures that can be laid over each other: the source, the reference, and what each model drew last. */
  function sides(index, sample, columns) {
    const found = [];
    const prompt = sample.p[0];
    if (prompt) {
      const last = prompt.m[prompt.m.length - 1][1].filter((part) => typeof part !== "string" && part.i.s);
      if (last.length) found.push({ name: "source", image: last[last.length - 1].i });
    }
    const walk = (value) => {
      if (!value || typeof value !== "object") return;
      if (value.i && value.i.s) found.push({ name: "reference", image: value.i });
      else for (const item of Object.values(value)) walk(item);
    };
    walk(sample.t);
    for (const column of columns) {
      const answer = sample.a[column];
      const given = answer && answer.s.length ? answer.s[answer.s.length - 1][1] : null;
      if (given && given.k === "images" && given.i.length && given.i[0].s) found.push({ name: index.columns[column], image: given.i[0] });
    }
    return found;
  }

  function comparison(index, sample, columns) {
    const found = sides(index, sample, columns);
    if (index.capability !== "edit" || found.length < 2) return null;
    const box = make("div", {});
    const pick = (label, chosen) => make("label", {}, label + " ", make("select", {}, ...found.map((side, i) =>
      make("option", { value: i, selected: i === chosen }, side.name))));
    const first = found.findIndex((side) => index.columns.includes(side.name));
    const before = pick("before", 0), after = pick("after", first > 0 ? first : 1);
    const draw = () => {
      const [a, b] = [before, after].map((label) => found[Number(label.querySelector("select").value)]);
      box.replaceChildren(slider(a, b, file));
    };
    before.addEventListener("change", draw);
    after.addEventListener("change", draw);
    draw();
    return make("section", { class: "comparison" }, make("h3", {}, "Before and after"), make("p", { class: "sides" }, before, after), box);
  }

  /* The whole sample. */
  function showSample(index, sample, place, columns, score) {
    const labels = Object.entries(sample.l);
    const first = sample.p[0];
    return [
      make("ul", { class: "labels", "aria-label": "Labels" }, ...labels.map(([name, value]) =>
        make("li", {}, make("span", { class: "faint" }, name.replaceAll("_", " ") + " "), text(value))),
        sample.c && sample.c !== sample.id ? make("li", {}, make("span", { class: "faint" }, "cluster "), text(sample.c)) : null),
      make("div", { class: "asked" },
        make("section", {}, make("h3", {}, "Prompt"), first ? conversation(first)
          : make("p", { class: "notice" }, index.missing ? "Prompts need the benchmark's data: " + index.missing : "The prompt is not known.")),
        make("section", {}, make("h3", {}, "Reference"), sample.t === undefined ? make("p", { class: "faint" }, "Not known.")
          : make("div", { class: "reference" }, reference(sample.t)))),
      make("h3", { class: "heading" }, "Answers"),
      make("div", { class: "answers-row" }, ...columns.map((column) => card(index, sample, column, place, score))),
      comparison(index, sample, columns),
    ];
  }

  Object.assign(window.Evalsuite, { showSample, thumbnail, grade });
})();
