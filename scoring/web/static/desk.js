// Keyboard for the desk: "/" find, j and k rows, Enter open, x select, "?" help; a switch turns single keys off (WCAG 2.1.4).
"use strict";

(() => {
  const OFF = "huifang-keys-off";
  const help = document.getElementById("help");
  const box = document.getElementById("keys-on");
  const find = document.getElementById("find");
  const opener = document.querySelector("[data-help]");
  if (!help || !box) return;

  const on = () => localStorage.getItem(OFF) !== "1";
  box.checked = on();
  box.addEventListener("change", () => localStorage.setItem(OFF, box.checked ? "0" : "1"));
  opener.hidden = false;
  opener.addEventListener("click", () => help.showModal());

  const rows = () => Array.from(document.querySelectorAll("table.rows tbody tr, table.figures tbody tr"));

  function step(by) {
    const all = rows();
    if (!all.length) return;
    const at = all.findIndex((row) => row.classList.contains("here"));
    const next = Math.min(all.length - 1, Math.max(0, at + by));
    all.forEach((row, i) => row.classList.toggle("here", i === next));
    all[next].scrollIntoView({ block: "nearest" });
    const link = all[next].querySelector("th a, td a");
    if (link) link.focus({ preventScroll: true });
  }

  const counter = document.querySelector("[data-picked]");
  const boxes = () => Array.from(document.querySelectorAll("tbody input[type=checkbox]"));

  function count() {
    if (counter) counter.textContent = counter.dataset.each.replace("#", boxes().filter((box) => box.checked).length);
  }

  function pick() {
    const box = document.querySelector("tr.here input[type=checkbox]");
    if (!box) return;
    box.checked = !box.checked;
    count();
  }

  // A picture wider than its window begins where its first box is.
  for (const picture of document.querySelectorAll(".picture")) {
    const first = picture.querySelector("rect");
    if (!first) continue;
    const box = first.getBoundingClientRect();
    picture.scrollLeft += box.left + box.width / 2 - picture.getBoundingClientRect().left - picture.clientWidth / 2;
  }

  document.addEventListener("change", count);
  count();

  document.addEventListener("keydown", (event) => {
    if (!on() || event.ctrlKey || event.metaKey || event.altKey || help.open) return;
    if (event.target.closest("input, select, textarea, [contenteditable]")) return;
    const act = {
      "/": () => find && find.focus(),
      j: () => step(1),
      k: () => step(-1),
      x: pick,
      "?": () => help.showModal(),
    }[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  });
})();
