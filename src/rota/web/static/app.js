// What a page does beside being read: it follows what changes, and the keyboard moves through it.

const REFRESH_MS = 250;
const AWAY_MS = 3000;
const live = document.getElementById("live");
let due = 0;

function refresh() {
  // Many changes at once are one look; a page that nobody sees looks when it is seen.
  if (due || document.hidden) return;
  due = setTimeout(() => {
    due = 0;
    if (!chosen()) htmx.trigger(document.body, "rota-change");
  }, REFRESH_MS);
}

function chosen() {
  return document.querySelector("input[name=job]:checked, form:focus-within input:not([type=checkbox]):focus") !== null;
}

function tell(word, isAway) {
  if (!live) return;
  live.hidden = false;
  live.textContent = word;
  live.classList.toggle("away", isAway);
}

async function follow() {
  while (document.querySelector("[hx-trigger*=rota-change]")) {
    try {
      const answer = await fetch("/api/v1/events", { headers: { Accept: "text/event-stream" } });
      if (answer.status === 404 || answer.status === 403) return poll();
      if (!answer.ok) throw new Error(String(answer.status));
      tell("live", false);
      refresh();
      const reader = answer.body.getReader();
      const decoder = new TextDecoder();
      for (;;) {
        const { value, done } = await reader.read();
        if (done) break;
        if (decoder.decode(value, { stream: true }).includes("data:")) refresh();
      }
    } catch (error) {
      console.debug("the server is away", error);
    }
    tell("reconnecting", true);
    await new Promise((resolve) => setTimeout(resolve, AWAY_MS * (0.5 + Math.random())));
  }
}

function poll() {
  tell("live", false);
  setInterval(refresh, AWAY_MS);
}

document.addEventListener("visibilitychange", refresh);
document.addEventListener("rota-look", refresh);
document.body.addEventListener("htmx:sendError", () => tell("reconnecting", true));
document.body.addEventListener("htmx:afterRequest", (event) => event.detail.successful && tell("live", false));

document.addEventListener("click", (event) => {
  const copy = event.target.closest("[data-copy]");
  if (copy) {
    navigator.clipboard.writeText(document.querySelector(copy.dataset.copy).textContent).then(() => { copy.textContent = "Copied"; });
    return;
  }
  const row = event.target.closest("tr[data-href]");
  if (row && !event.target.closest("a, button, input, label")) location.href = row.dataset.href;
});

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, textarea")) return;
  const rows = [...document.querySelectorAll("tr[data-href]")];
  const at = rows.findIndex((row) => row.classList.contains("at"));
  if (event.key === "/") {
    const search = document.querySelector("[data-search]");
    if (search) { event.preventDefault(); search.focus(); search.select(); }
  } else if ((event.key === "j" || event.key === "k") && rows.length) {
    const next = Math.min(rows.length - 1, Math.max(0, at + (event.key === "j" ? 1 : -1)));
    rows.forEach((row, index) => row.classList.toggle("at", index === next));
    rows[next].scrollIntoView({ block: "nearest" });
  } else if (event.key === "Enter" && at >= 0 && !event.target.closest("a, button")) {
    location.href = rows[at].dataset.href;
  }
});

if (live) follow();
