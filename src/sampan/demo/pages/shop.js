// Asks the gateway again and again, and shows who answered. Text is only ever set as text, never as markup.
"use strict";

const TONES = ["--v0", "--v1", "--v2", "--v3"];
const counts = new Map(); // service -> Map(instance -> answers)
const tones = new Map(); // instance -> tone
let total = 0;
let failed = 0;

const find = (selector, within = document) => within.querySelector(selector);

function toneOf(service, instance) {
  const key = `${service}/${instance}`;
  if (!tones.has(key)) {
    // Told by name where the name ends in a number, so that v1 and v2 keep their colours when the page is opened again.
    const version = /-v(\d+)/.exec(instance) || /-(\d+)$/.exec(instance);
    tones.set(key, TONES[(version ? Number(version[1]) - 1 : tones.size) % TONES.length]);
  }
  return `var(${tones.get(key)})`;
}

function note(from) {
  total += 1;
  const service = counts.get(from.service) || new Map();
  counts.set(from.service, service);
  service.set(from.instance, (service.get(from.instance) || 0) + 1);
  const who = find(`.who[data-service="${CSS.escape(from.service)}"]`);
  if (who) {
    const instance = find(".instance", who);
    if (instance.textContent !== from.instance) {
      who.classList.add("changed");
      setTimeout(() => who.classList.remove("changed"), 60);
    }
    who.classList.remove("down");
    who.style.setProperty("--tone", toneOf(from.service, from.instance));
    instance.textContent = from.instance;
    find(".detail", who).textContent = `${from.version} · pid ${from.pid}`;
  }
  drawBars();
}

function missing(service, error) {
  failed += 1;
  const who = find(`.who[data-service="${service}"]`);
  who.classList.add("down");
  find(".instance", who).textContent = "no answer";
  find(".detail", who).textContent = error.message;
  drawBars();
}

function drawBars() {
  find("#total").textContent = total;
  find("#failed").textContent = failed ? `, ${failed} failed` : "";
  for (const service of ["catalogue", "reviews"]) {
    const instances = counts.get(service);
    if (!instances) continue;
    const bar = find(`#bar-${service}`) || newBar(service);
    const track = find(".track", bar);
    const all = [...instances.values()].reduce((sum, count) => sum + count, 0);
    for (const instance of [...instances.keys()].sort()) {
      const name = `part-${instance}`;
      let part = document.getElementById(name);
      if (!part) {
        part = document.createElement("div");
        part.className = "part";
        part.id = name;
        part.style.setProperty("--tone", toneOf(service, instance));
        track.insertBefore(part, [...track.children].find((other) => other.id > name) || null);
      }
      const count = instances.get(instance);
      const share = `${Math.round((100 * count) / all)} %`;
      part.style.flexGrow = count;
      part.title = `${instance}: ${count} answers, ${share}`;
      part.textContent = count / all < 0.2 ? share : `${instance} · ${count} · ${share}`;
    }
  }
}

function newBar(service) {
  const bar = document.createElement("div");
  bar.className = "bar";
  bar.id = `bar-${service}`;
  bar.style.order = service === "catalogue" ? 1 : 2;
  const label = document.createElement("span");
  label.textContent = service;
  const track = document.createElement("div");
  track.className = "track";
  bar.append(label, track);
  find("#bars").append(bar);
  return bar;
}

async function ask(path) {
  const response = await fetch(path, { cache: "no-store", signal: AbortSignal.timeout(5000) });
  if (!response.ok) throw new Error(`status ${response.status}`);
  return response.json();
}

function showReviews(card, answer) {
  const stars = find(".stars", card);
  if (answer.stars === undefined) {
    const none = document.createElement("span");
    none.className = "none";
    none.textContent = "no stars in version 1";
    stars.replaceChildren(none);
    stars.setAttribute("aria-label", "no stars in version 1");
  } else {
    const full = document.createElement("span");
    full.className = "full";
    full.style.setProperty("--fill", `${(answer.stars / 5) * 100}%`);
    const score = document.createElement("span");
    score.className = "score";
    score.textContent = answer.stars.toFixed(1);
    stars.replaceChildren(full, score);
    stars.setAttribute("aria-label", `${answer.stars} of 5 stars`);
  }
  const review = answer.reviews[total % answer.reviews.length];
  find(".quote", card).textContent = review ? review.words : "";
  find(".author", card).textContent = review ? review.author : "";
  const by = find(".by", card);
  by.textContent = answer.from.instance;
  by.style.setProperty("--tone", toneOf("reviews", answer.from.instance));
}

function showLevels(levels) {
  for (const [product, units] of Object.entries(levels)) {
    const card = find(`.card[data-product="${CSS.escape(product)}"]`);
    if (!card) continue;
    find(".units", card).textContent = units;
    find("meter", card).value = units;
  }
}

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

// One loop a service: a slow one does not hold up the others, and a hidden tab asks for nothing.
async function forever(service, milliseconds, round) {
  for (;;) {
    if (!document.hidden) {
      try {
        await round();
      } catch (error) {
        missing(service, error);
      }
    }
    await pause(milliseconds);
  }
}

let next = 0;
async function reviewsRound() {
  const cards = document.querySelectorAll(".card");
  if (!cards.length) return;
  const card = cards[next++ % cards.length];
  const answer = await ask(`/api/reviews/${encodeURIComponent(card.dataset.product)}`);
  note(answer.from);
  showReviews(card, answer);
}

async function catalogueRound() {
  const answer = await ask("/api/catalogue");
  note(answer.from);
  if (!find(".card") && answer.products.length) location.reload();
}

async function stockRound() {
  const answer = await ask("/api/stock");
  note(answer.from);
  showLevels(answer.levels);
}

function openLive() {
  const live = find("#live");
  const socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/api/live`);
  socket.onmessage = (event) => {
    const tide = JSON.parse(event.data);
    live.textContent = `live line to ${tide.from.instance}, ${tide.watchers} watching`;
    note(tide.from);
    showLevels(tide.levels);
  };
  socket.onclose = () => {
    live.textContent = "live line lost, opening it again…";
    setTimeout(openLive, 2000);
  };
}

for (const here of document.querySelectorAll(".here")) here.textContent = location.host;
forever("reviews", 350, reviewsRound);
forever("catalogue", 700, catalogueRound);
forever("stock", 2000, stockRound);
openLive();
