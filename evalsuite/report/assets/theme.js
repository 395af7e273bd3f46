/* Runs before the page is drawn, so that a dark page never flashes white. */
(function () {
  "use strict";
  var wanted = null;
  try { wanted = localStorage.getItem("evalsuite-theme"); } catch (error) { /* storage may be forbidden on file: */ }
  var system = window.matchMedia("(prefers-color-scheme: dark)");
  function apply() {
    document.documentElement.dataset.theme = wanted || (system.matches ? "dark" : "light");
  }
  apply();
  system.addEventListener("change", apply);
  window.addEventListener("DOMContentLoaded", function () {
    var button = document.getElementById("theme");
    button.hidden = false;
    button.addEventListener("click", function () {
      wanted = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
      try { localStorage.setItem("evalsuite-theme", wanted); } catch (error) { /* for this page only, then */ }
      apply();
    });
  });
})();
