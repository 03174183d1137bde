// Renews #live by fetching the page itself; pauses on a click, while the page is hidden, and says when it can't.
"use strict";

(() => {
  const control = document.querySelector("[data-live-control]");
  if (!control) return;
  const every = Number(control.dataset.every) || 5000;
  let paused = false;

  const button = document.createElement("button");
  button.type = "button";
  button.textContent = control.dataset.pause;
  const lost = document.createElement("span");
  lost.className = "lost";
  lost.setAttribute("role", "status");
  control.append(button, lost);

  button.addEventListener("click", () => {
    paused = !paused;
    button.textContent = paused ? control.dataset.resume : control.dataset.pause;
    if (!paused) renew();
  });

  const busy = (live) =>
    live.contains(document.activeElement) || !document.getSelection().isCollapsed;

  // Alarms show at once, whatever is being read; the element stays, so that a screen reader says what is new.
  function renewBanner(page) {
    const shown = document.getElementById("banner");
    const fresh = page.getElementById("banner");
    if (!shown || !fresh || shown.innerHTML === fresh.innerHTML || shown.contains(document.activeElement)) return;
    shown.replaceChildren(...document.adoptNode(fresh).childNodes);
  }

  async function renew() {
    const live = document.getElementById("live");
    if (paused || document.hidden) return;
    try {
      const response = await fetch(location.href, { redirect: "error", cache: "no-store" });
      if (!response.ok) throw new Error(String(response.status));
      const page = new DOMParser().parseFromString(await response.text(), "text/html");
      const fresh = page.getElementById("live");
      if (!fresh) throw new Error("no live part");
      renewBanner(page);
      if (!busy(live)) live.replaceWith(document.adoptNode(fresh));
      lost.textContent = "";
    } catch {
      lost.textContent = control.dataset.lost;
    }
  }

  setInterval(renew, every);
})();
