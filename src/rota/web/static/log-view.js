// <log-view src size ended>: a job's log as it comes. In the page are its last lines alone, however long it is.

import { AnsiUp } from "./vendor/ansi_up.js";

const LINES_MAX = 20000;
const WHOLE_BYTES = 8 * 1024 * 1024; // up to here a log is read from its first byte, and its lines are numbered
const TAIL_BYTES = 2 * 1024 * 1024;
const AGAIN_MS = 2000;
const URL_IN_TEXT = /https?:\/\/[^\s"'<>]+[^\s"'<>.,;:!?)\]]/g;

class LogView extends HTMLElement {
  connectedCallback() {
    this.source = this.getAttribute("src");
    this.size = Number(this.getAttribute("size"));
    this.replaceChildren(this.makeTools(), this.makeLines());
    this.start(this.size > WHOLE_BYTES ? this.size - TAIL_BYTES : 0);
  }

  disconnectedCallback() {
    this.stopped = true;
    this.abort?.abort();
  }

  makeTools() {
    const tools = document.createElement("div");
    tools.className = "tools";
    this.follow = toggle(tools, "Follow", true);
    this.wrap = toggle(tools, "Wrap", false);
    this.wrap.addEventListener("change", () => this.lines.classList.toggle("wrap", this.wrap.checked));
    this.search = document.createElement("input");
    this.search.type = "search";
    this.search.placeholder = "search the lines shown";
    this.search.setAttribute("aria-label", "Search the lines shown");
    this.search.dataset.search = "";
    this.search.addEventListener("input", () => this.find(0));
    this.search.addEventListener("keydown", (event) => { if (event.key === "Enter") this.find(event.shiftKey ? -1 : 1); });
    this.told = document.createElement("span");
    this.told.className = "quiet";
    this.told.setAttribute("role", "status");
    const first = document.createElement("button");
    first.type = "button";
    first.textContent = "From the beginning";
    first.addEventListener("click", () => this.start(0, true));
    this.first = first;
    first.hidden = true;
    const raw = document.createElement("a");
    raw.href = this.source;
    raw.textContent = "Download";
    raw.download = "";
    tools.append(this.search, this.told, first, raw);
    return tools;
  }

  makeLines() {
    this.lines = document.createElement("pre");
    this.lines.className = "log lines";
    this.lines.tabIndex = 0;
    this.lines.setAttribute("aria-label", "Log");
    this.lines.addEventListener("scroll", () => {
      const isAtEnd = this.lines.scrollTop + this.lines.clientHeight > this.lines.scrollHeight - 40;
      if (!isAtEnd && this.scrolledByUs !== this.lines.scrollTop) this.follow.checked = false;
    });
    return this.lines;
  }

  start(offset, isHead = false) {
    this.abort?.abort();
    this.abort = new AbortController();
    this.lines.replaceChildren();
    this.offset = offset;
    this.isHead = isHead; // the first lines, until the page is full
    this.isNumbered = offset === 0;
    this.number = 0;
    this.dropped = 0;
    this.first.hidden = this.isNumbered;
    this.reset();
    if (isHead) this.follow.checked = false;
    this.read(this.abort.signal);
  }

  reset() {
    this.ansi = new AnsiUp();
    this.ansi.use_classes = true;
    this.ansi.boldStyle = this.ansi.faintStyle = this.ansi.italicStyle = this.ansi.underlineStyle = "";
    this.decoder = new TextDecoder();
    this.rest = "";
    this.open = null;
  }

  async read(signal) {
    while (!signal.aborted) {
      try {
        const headers = { Accept: "text/event-stream" };
        if (this.offset) headers["Last-Event-ID"] = String(this.offset);
        const answer = await fetch(`${this.source}?encoding=base64`, { headers, signal });
        if (!answer.ok) throw new Error(String(answer.status));
        if (await this.take(answer.body.getReader())) return;
      } catch (error) {
        if (signal.aborted) return;
        this.say("reconnecting…");
      }
      await new Promise((resolve) => setTimeout(resolve, AGAIN_MS * (0.5 + Math.random())));
    }
  }

  // Server-sent events by hand: EventSource cannot begin at an offset.
  async take(reader) {
    const decoder = new TextDecoder();
    let buffer = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return false;
      buffer += decoder.decode(value, { stream: true });
      let end;
      while ((end = buffer.indexOf("\n\n")) >= 0) {
        const fields = { event: "message", data: "", id: "" };
        for (const line of buffer.slice(0, end).split("\n")) {
          const colon = line.indexOf(": ");
          if (colon > 0) fields[line.slice(0, colon)] = line.slice(colon + 2);
        }
        buffer = buffer.slice(end + 2);
        if (fields.event === "end") return this.finish();
        if (fields.event === "attempt") this.began(JSON.parse(fields.data).number);
        else if (fields.data) {
          this.offset = Number(fields.id);
          this.add(Uint8Array.from(atob(fields.data), (c) => c.charCodeAt(0)));
          if (this.isHead && this.number >= LINES_MAX) { this.say(`the first ${LINES_MAX} lines`); reader.cancel(); return true; }
        }
      }
    }
  }

  began(number) {
    if (this.attempt !== undefined && this.attempt !== number) this.start(0);
    this.attempt = number;
  }

  finish() {
    this.flush(true);
    this.say(this.number || this.lines.childElementCount ? "" : "The job wrote nothing.");
    document.dispatchEvent(new CustomEvent("rota-look"));
    return true;
  }

  add(bytes) {
    this.rest += this.decoder.decode(bytes, { stream: true });
    if (!this.frame) this.frame = requestAnimationFrame(() => this.flush(false));
  }

  flush(isLast) {
    cancelAnimationFrame(this.frame);
    this.frame = 0;
    let lines = this.rest.split("\n");
    this.rest = lines.pop();
    if (this.open) { this.open.remove(); this.open = null; this.number -= 1; }
    if (lines.length > LINES_MAX && !this.isHead) {
      this.number += lines.length - LINES_MAX;
      this.dropped += lines.length - LINES_MAX;
      lines = lines.slice(-LINES_MAX);
      this.lines.replaceChildren();
    }
    const fragment = document.createDocumentFragment();
    for (const line of lines) fragment.append(this.line(line));
    if (this.rest) {
      this.open = this.line(this.rest, isLast);
      fragment.append(this.open);
    }
    this.lines.append(fragment);
    while (this.lines.childElementCount > LINES_MAX && !this.isHead) { this.lines.firstElementChild.remove(); this.dropped += 1; }
    if (this.dropped) { this.say(`the last ${LINES_MAX} lines; ${this.dropped} before them`); this.first.hidden = false; }
    if (this.follow.checked && !location.hash) {
      this.lines.scrollTop = this.lines.scrollHeight;
      this.scrolledByUs = this.lines.scrollTop;
    } else if (location.hash && !this.isShown) {
      const target = this.lines.querySelector(`[id="${CSS.escape(location.hash.slice(1))}"]`);
      if (target) { this.isShown = true; target.scrollIntoView({ block: "center" }); }
    }
  }

  line(text) {
    this.number += 1;
    const element = document.createElement("span");
    element.className = "line";
    if (this.isNumbered) {
      element.id = `L${this.number}`;
      const at = document.createElement("a");
      at.className = "at";
      at.href = `#L${this.number}`;
      at.textContent = String(this.number);
      element.append(at);
    }
    // A carriage return goes back to the line's start, as on a terminal: what was written last stays.
    element.append(...coloured(this.ansi, text.replace(/\r$/, "").split("\r").pop()), "\n");
    return element;
  }

  find(step) {
    const wanted = this.search.value.toLowerCase();
    this.lines.querySelector(".found")?.classList.remove("found");
    if (!wanted) return this.say("");
    const hits = [...this.lines.children].filter((line) => wordsOf(line).toLowerCase().includes(wanted));
    this.hit = hits.length ? ((step ? (this.hit ?? 0) + step : 0) + hits.length) % hits.length : 0;
    this.say(hits.length ? `${this.hit + 1} of ${hits.length}` : `0 of ${this.lines.childElementCount} lines`);
    if (hits.length) {
      this.follow.checked = false;
      hits[this.hit].classList.add("found");
      hits[this.hit].scrollIntoView({ block: "center" });
    }
  }

  say(text) {
    this.told.textContent = text;
  }
}

// What the job wrote in that line: its number is ours.
function wordsOf(line) {
  return line.textContent.slice(line.querySelector("a.at")?.textContent.length ?? 0);
}

function toggle(into, name, isOn) {
  const label = document.createElement("label");
  const box = document.createElement("input");
  box.type = "checkbox";
  box.checked = isOn;
  label.append(box, name);
  into.append(label);
  return box;
}

// What the job wrote is text alone: ansi_up escapes it; styles become properties, which the page's policy lets scripts set.
function coloured(ansi, text) {
  const made = new DOMParser().parseFromString(ansi.ansi_to_html(text), "text/html").body;
  for (const element of made.querySelectorAll("[style]")) {
    const style = element.getAttribute("style");
    element.removeAttribute("style");
    element.style.cssText = style;
  }
  const walker = document.createTreeWalker(made, NodeFilter.SHOW_TEXT);
  const texts = [];
  while (walker.nextNode()) texts.push(walker.currentNode);
  for (const node of texts) if (node.data.includes("://") && !node.parentElement.closest("a")) linked(node);
  for (const link of made.querySelectorAll("a")) { link.rel = "noopener noreferrer nofollow"; link.target = "_blank"; }
  return made.childNodes;
}

function linked(node) {
  const parts = [];
  let at = 0;
  for (const found of node.data.matchAll(URL_IN_TEXT)) {
    const link = document.createElement("a");
    link.href = link.textContent = found[0];
    parts.push(node.data.slice(at, found.index), link);
    at = found.index + found[0].length;
  }
  if (parts.length) node.replaceWith(...parts, node.data.slice(at));
}

customElements.define("log-view", LogView);
