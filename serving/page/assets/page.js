"use strict";
// All that needs a script: the slider answers while it moves, and a page of a log that is still
// being read comes again by itself.
(() => {
  const form = document.getElementById("slider");
  if (form) {
    const points = JSON.parse(form.dataset.points);
    const near = (t) => points.reduce((a, b) => (Math.abs(b.t - t) < Math.abs(a.t - t) ? b : a));
    const now = near(Number(form.dataset.now));
    const at = (id) => document.getElementById(id);
    const minus = (text) => text.replace("-", "\u2212");
    const signed = (value, digits, unit) => {
      const text = value.toFixed(digits);
      const zero = Number(text) === 0;
      return minus((value > 0 && !zero ? "+" : "") + (zero ? text.replace("-", "") : text) + unit);
    };
    const dollars = (value) => {
      const digits = value > 0 && value < 0.1 ? Math.max(2, 1 - Math.floor(Math.log10(value))) : 2;
      return "$" + value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
    };
    const show = () => {
      const p = near(Number(at("threshold").value));
      at("t").textContent = p.t.toFixed(2);
      at("s-usd").textContent = dollars(1000 * p.usd);
      at("s-usd-by").textContent = now.usd ? signed(100 * (p.usd / now.usd - 1), 0, "\u00a0% against now") : "";
      at("s-quality").textContent = (100 * p.quality).toFixed(1);
      at("s-quality-by").textContent = signed(100 * (p.quality - now.quality), 1, " points against now");
      at("handle").setAttribute("cx", p.x);
      at("handle").setAttribute("cy", p.y);
      if (p.shares.length) {
        at("s-shares").replaceChildren(...p.shares.map(([arm, share]) => {
          const item = document.createElement("li");
          const name = document.createElement("span");
          const value = document.createElement("b");
          name.textContent = arm;
          value.textContent = share;
          item.append(name, " ", value);
          return item;
        }));
      }
    };
    at("threshold").addEventListener("input", show);
    form.querySelector("button").hidden = true;
    show();
  }
  if (document.querySelector("[data-unread]")) {
    setTimeout(() => {
      const busy = document.activeElement && document.activeElement !== document.body;
      if (!busy) location.reload();
    }, 3000);
  }
})();
