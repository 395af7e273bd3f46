/* Two images on top of each other and an edge between them, moved by pointer or keys: a plain range input
   lies over the images, so browsers and screen readers know it. */
"use strict";
(function () {
  const { make } = window.Evalsuite;

  function picture(side, address) {
    return make("img", { src: address(side.image), alt: side.name, class: side.image.w < 256 ? "small" : "", draggable: "false" });
  }

  /* before, after: {name, image}; address(image) gives the file. */
  function slider(before, after, address) {
    const input = make("input", { type: "range", min: 0, max: 100, value: 50, step: 1, "aria-label": `Before: ${before.name}, after: ${after.name}` });
    const top = make("div", { class: "after" }, picture(after, address));
    const edge = make("div", { class: "edge", "aria-hidden": "true" });
    const frame = make("div", { class: "frame" }, picture(before, address), top, edge, input);
    frame.style.aspectRatio = `${before.image.w} / ${before.image.h}`;
    function move() {
      const part = Number(input.value);
      top.style.clipPath = `inset(0 0 0 ${part}%)`;
      edge.style.left = part + "%";
      input.setAttribute("aria-valuetext", `${part} % before, ${100 - part} % after`);
    }
    input.addEventListener("input", move);
    move();
    return make("figure", { class: "slider" }, frame,
      make("figcaption", {}, make("span", {}, before.name), make("span", {}, after.name)));
  }

  Object.assign(window.Evalsuite, { slider });
})();
