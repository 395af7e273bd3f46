/* While a run goes on: asks every few seconds whether the report was written again, and then loads the page again.
   What is open, filtered and scrolled to is in the address or comes back with the page. */
"use strict";
(function () {
  const { load } = window.Evalsuite;
  const pause = 5000;
  let known = null;

  async function look() {
    try {
      const stamp = await load("live/stamp");
      if (known !== null && stamp !== known && !document.querySelector("input:focus, select:focus, dialog[open]")) {
        location.reload();
        return;
      }
      known = known === null ? stamp : known;
    } catch (error) { /* just being written */ }
    setTimeout(look, pause);
  }
  look();
})();
