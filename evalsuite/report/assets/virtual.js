/* A list of any length of which only what can be seen is in the document. */
"use strict";
(function () {
  const { make } = window.Evalsuite;
  const tallest = 8e6; /* browsers give up somewhere above; beyond it, the scroll bar is coarser than a line */
  const spare = 4;

  class VirtualList {
    /* draw(position) makes an item's element; cell: {width: 0 for one per line, height}. */
    constructor(box, draw) {
      this.box = box;
      this.draw = draw;
      this.length = 0;
      this.cell = { width: 0, height: 64 };
      this.items = new Map();
      this.filler = make("div", { class: "filler", role: "presentation" });
      box.append(this.filler);
      box.addEventListener("scroll", () => this.later(), { passive: true });
      new ResizeObserver(() => this.refresh()).observe(box);
    }

    get perLine() {
      return this.cell.width ? Math.max(1, Math.floor(this.box.clientWidth / this.cell.width + 0.01)) : 1;
    }

    reset(length, cell) {
      this.length = length;
      this.cell = cell || this.cell;
      this.refresh();
    }

    refresh() {
      const lines = Math.ceil(this.length / this.perLine);
      this.whole = lines * this.cell.height;
      this.height = Math.min(this.whole, tallest);
      this.filler.style.height = this.height + "px";
      for (const element of this.items.values()) element.remove();
      this.items.clear();
      this.render();
    }

    later() {
      if (this.frame) return;
      this.frame = requestAnimationFrame(() => {
        this.frame = 0;
        this.render();
      });
    }

    /* Where the window's upper edge is, in lines of the whole list. */
    get top() {
      const view = this.box.clientHeight;
      const reach = this.height - view;
      const position = reach > 0 ? (this.box.scrollTop / reach) * (this.whole - view) : 0;
      return Math.max(0, position) / this.cell.height;
    }

    render() {
      const perLine = this.perLine;
      const top = this.top;
      const lines = Math.ceil(this.box.clientHeight / this.cell.height);
      const first = Math.max(0, Math.floor(top) - spare) * perLine;
      const last = Math.min(this.length, (Math.floor(top) + lines + spare + 1) * perLine);
      for (const [position, element] of this.items) {
        if (position < first || position >= last) {
          element.remove();
          this.items.delete(position);
        }
      }
      for (let i = first; i < last; i++) {
        let element = this.items.get(i);
        if (!element) {
          element = this.draw(i);
          this.items.set(i, element);
          this.filler.append(element);
        }
        const y = this.box.scrollTop + (Math.floor(i / perLine) - top) * this.cell.height;
        element.style.transform = `translate(${(i % perLine) * this.cell.width}px, ${y}px)`;
        element.style.height = this.cell.height + "px";
        element.style.width = this.cell.width ? this.cell.width + "px" : "100%";
      }
    }

    show(position) {
      const line = Math.floor(position / this.perLine);
      const view = this.box.clientHeight;
      const [from, to] = [line * this.cell.height, (line + 1) * this.cell.height];
      const shown = this.top * this.cell.height;
      let wanted = shown;
      if (from < shown) wanted = from;
      else if (to > shown + view) wanted = to - view;
      if (wanted !== shown && this.whole > view) this.box.scrollTop = (wanted / (this.whole - view)) * (this.height - view);
      this.render();
    }
  }

  Object.assign(window.Evalsuite, { VirtualList });
})();
