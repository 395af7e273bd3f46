/* What all pages share: data files on demand, elements made of text, state in the address. */
"use strict";
window.Evalsuite = (function () {
  const up = document.body.dataset.up;
  const safeName = /^[a-z0-9][a-z0-9.-]*\/(index|ids|rows-\d+|samples-\d+)$|^live\/stamp$/;

  /* Scripts may only come from the report's own data folder; elsewhere Trusted Types refuse. */
  const policy = window.trustedTypes
    ? window.trustedTypes.createPolicy("evalsuite", { createScriptURL: (name) => address(name) })
    : null;
  function address(name) {
    if (!safeName.test(name)) throw new TypeError("not a data file: " + name);
    return up + "data/" + name + ".js";
  }

  const waiting = new Map();
  const arrived = new Map();
  const loads = { count: 0 };

  /* Called by each data file. */
  function register(name, text) {
    arrived.set(name, JSON.parse(text));
  }

  /* A promise of a data file's value. The value is handed over once; callers keep what they need. */
  function load(name) {
    if (waiting.has(name)) return waiting.get(name);
    const script = document.createElement("script");
    script.src = policy ? policy.createScriptURL(name) : address(name);
    const promise = new Promise((resolve, reject) => {
      script.onload = () => {
        script.remove();
        waiting.delete(name);
        const value = arrived.get(name);
        arrived.delete(name);
        if (value === undefined) reject(new Error("data/" + name + ".js is damaged"));
        else resolve(value);
      };
      script.onerror = () => {
        script.remove();
        waiting.delete(name);
        reject(new Error("data/" + name + ".js is missing: copy the whole folder of the report"));
      };
      loads.count += 1;
      document.head.append(script);
    });
    waiting.set(name, promise);
    return promise;
  }

  /* Remembers the last so many results of a function of one key. */
  function remembering(most, make) {
    const known = new Map();
    return function (key) {
      if (known.has(key)) {
        const value = known.get(key);
        known.delete(key);
        known.set(key, value);
        return value;
      }
      const value = make(key);
      known.set(key, value);
      if (known.size > most) known.delete(known.keys().next().value);
      return value;
    };
  }

  /* An element. Strings among the children become text nodes: nothing is ever read as HTML. */
  function make(tag, attributes, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes || {})) {
      if (value === null || value === undefined || value === false) continue;
      if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
      else element.setAttribute(name, value === true ? "" : value);
    }
    element.append(...children.flat().filter((child) => child !== null && child !== undefined));
    return element;
  }

  /* Characters that cannot be seen or that turn the text around them: shown by their names. */
  const invisible = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;
  const long = 4000;

  function pieces(text) {
    const found = [];
    let from = 0;
    for (const match of text.matchAll(invisible)) {
      if (match.index > from) found.push(text.slice(from, match.index));
      const code = match[0].charCodeAt(0).toString(16).toUpperCase().padStart(4, "0");
      found.push(make("span", { class: "control", title: "U+" + code }, "U+" + code));
      from = match.index + 1;
    }
    if (from < text.length) found.push(text.slice(from));
    return found;
  }

  /* Untrusted text, isolated in its direction; a very long one is folded until it is asked for. */
  function text(value) {
    const whole = String(value);
    const element = make("bdi", { class: "text", dir: "auto" });
    if (whole.length <= long * 1.25) {
      element.append(...pieces(whole));
      return element;
    }
    element.append(...pieces(whole.slice(0, long)));
    const more = make("button", { type: "button", class: "more" }, `… all ${whole.length.toLocaleString("en")} characters`);
    more.addEventListener("click", () => element.replaceChildren(...pieces(whole)));
    element.append(more);
    return element;
  }

  /* Names and values in the address behind `#`, so that what is seen can be linked to. */
  function readState() {
    return new URLSearchParams(location.hash.slice(1));
  }
  function writeState(state) {
    const kept = new URLSearchParams();
    for (const [name, value] of state) if (value !== "" && value !== null && value !== undefined) kept.set(name, value);
    const hash = "#" + kept.toString();
    if (hash === location.hash || (hash === "#" && !location.hash)) return;
    try { history.replaceState(null, "", hash); } catch (error) { location.replace(hash); }
  }

  function typing(event) {
    const target = event.target;
    return target.matches("input:not([type=checkbox]):not([type=range]), select, textarea") || event.ctrlKey || event.metaKey || event.altKey;
  }

  /* Menus close when something else is clicked, or with Escape. */
  document.addEventListener("click", (event) => {
    for (const menu of document.querySelectorAll("details.menu[open]")) if (!menu.contains(event.target)) menu.open = false;
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const menu of document.querySelectorAll("details.menu[open]")) {
      menu.open = false;
      menu.querySelector("summary").focus();
    }
  });

  return { up, register, load, loads, remembering, make, text, readState, writeState, typing };
})();
