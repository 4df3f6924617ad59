"use strict";
(function () {
  const { charts, themes } = JSON.parse(document.getElementById("specs").textContent);
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const shown = { frontier: "linear" };
  const views = {};

  function draw(id) {
    const spec = shown[id] ? charts[id][shown[id]] : charts[id];
    if (views[id]) views[id].finalize();
    vegaEmbed(document.getElementById(id), spec, {
      mode: "vega-lite",
      renderer: "svg",
      config: dark.matches ? themes.dark : themes.light,
      tooltip: { theme: dark.matches ? "dark" : "light" },
      actions: { export: true, source: false, compiled: false, editor: false },
      downloadFileName: id,
    }).then(function (result) { views[id] = result; });
  }

  function drawAll() { Object.keys(charts).forEach(draw); }

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
