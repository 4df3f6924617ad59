"use strict";
(function () {
  const specs = JSON.parse(document.getElementById("specs").textContent);
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const shown = { frontier: "linear" };
  const views = {};

  function draw(id) {
    const place = document.getElementById(id);
    if (!place) return;
    const spec = id === "frontier" ? specs.frontier[shown.frontier] : specs[id];
    if (views[id]) views[id].finalize();
    vegaEmbed(place, spec, {
      mode: "vega-lite",
      renderer: "svg",
      config: dark.matches ? specs.themes.dark : specs.themes.light,
      tooltip: { theme: dark.matches ? "dark" : "light" },
      actions: { export: true, source: false, compiled: false, editor: false },
      downloadFileName: id,
    }).then(function (result) { views[id] = result; });
  }

  function drawAll() { ["frontier", "shares", "tiers", "calibration"].forEach(draw); }

  document.querySelectorAll("[data-axis]").forEach(function (button) {
    button.addEventListener("click", function () {
      shown.frontier = button.dataset.axis;
      document.querySelectorAll("[data-axis]").forEach(function (other) {
        other.setAttribute("aria-pressed", String(other === button));
      });
      draw("frontier");
    });
  });
  dark.addEventListener("change", drawAll);
  drawAll();
})();
