// The page: events come in, the document follows.  All text goes in as text, never as markup.
"use strict";

const KEEP_MS = 120000; // of the plots
const LEAST_MS = 20000; // that a plot is wide
const WINDOW_MS = 10000; // whose requests a latency is of
const RATE_MS = 2000; // over which a rate is taken
const LOST_MS = 3000; // without a word
const SILENT_MS = 3000; // that the master may be
const CHANGES = 20;

const $ = id => document.getElementById(id);
const known = new Map(); // changes by seq
const drains = new Map(); // generation -> connections in the last two events before its drain
let samples = []; // {ms, uptime, totals, open, latency: Map(service -> buckets)}
let latest = null, heard = 0, paused = false, told = "";

// --- words for numbers

function count(n) {
  return Math.round(n).toString().replace(/\B(?=(\d{3})+$)/g, " ");
}

function scaled(n, step, units) {
  let i = 0;
  while (n >= step * 0.9995 && i < units.length - 1) {
    n /= step;
    i++;
  }
  return [i === 0 && Number.isInteger(n) ? count(n) : n >= 100 ? n.toFixed(0) : n >= 10 ? n.toFixed(1) : n.toFixed(n > 0 && n < 0.1 ? 2 : 1), units[i]];
}

const bytes = n => scaled(n, 1000, ["B", "kB", "MB", "GB", "TB"]);
const plain = n => n >= 1e6 ? scaled(n / 1e6, 1000, ["million", "billion"]) : [n < 10 && !Number.isInteger(n) ? n.toFixed(1) : count(n), ""];
const micros = us => us === null ? ["> 134", "s"] : scaled(us, 1000, us >= 1e6 ? ["µs", "ms", "s"] : ["µs", "ms"]);
const words = pair => pair[1] ? pair[0] + " " + pair[1] : pair[0];
const plural = (n, noun) => `${count(n)} ${noun}${n === 1 ? "" : "s"}`;

function age(ms) {
  const s = Math.floor(ms / 1000);
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${Math.floor(s / 60) % 60} min`;
  return `${Math.floor(s / 86400)} d ${Math.floor(s / 3600) % 24} h`;
}

// --- the document

function text(el, s) {
  if (el.textContent !== s) el.textContent = s;
}

function make(tag, cls, ...children) {
  const el = document.createElement(tag);
  if (cls) el.className = cls;
  el.append(...children);
  return el;
}

function svg(tag, attributes) {
  const el = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [k, v] of Object.entries(attributes)) el.setAttribute(k, v);
  return el;
}

function pill(el, state) {
  el.classList.add("pill");
  el.dataset.state = state;
  text(el, state.replace("_", " "));
}

// One child for each item, kept from one time to the next, in the order of the items.
function each(parent, items, key, create, update) {
  const old = new Map(Array.from(parent.children, el => [el.dataset.key, el]));
  items.forEach((item, i) => {
    const k = String(key(item, i));
    let el = old.get(k);
    if (!el) {
      el = create(item);
      el.dataset.key = k;
    }
    old.delete(k);
    if (parent.children[i] !== el) parent.insertBefore(el, parent.children[i] || null);
    update(el, item);
  });
  for (const el of old.values()) el.remove();
}

// --- generations

const openOf = g => g.new + g.idle + g.busy;

function newGeneration() {
  const bar = make("div", "bar", ...["busy", "idle", "new"].map(c => make("span", c)));
  bar.setAttribute("role", "img");
  const progress = document.createElement("progress");
  const drain = make("div", "drain", make("span"), progress);
  drain.firstChild.id = "d" + Math.random().toString(36).slice(2);
  progress.setAttribute("aria-labelledby", drain.firstChild.id);
  return make("li", "", make("div", "head", make("h3"), make("span", "pill"), make("span", "about")),
    make("div", "row", bar, make("div", "numbers")), drain, make("ul", "seats"));
}

// Users are numbers here: nobody looks up names for a page.
const asker = c => (c.by || "").replace(/uid 0\b/g, "root");

// Of the change that made a generation drain: the first that was committed after it.
function askerOf(id) {
  const later = [...known.values()].filter(c => c.outcome === "committed" && c.generation > id);
  return later.length ? asker(later.reduce((a, b) => b.generation < a.generation ? b : a)) : "";
}

function showDrain(el, g) {
  const open = openOf(g), leaving = g.state === "draining" || g.state === "failed";
  const [last, before] = drains.get(g.id) || [0, 0];
  if (!leaving) {
    drains.set(g.id, [open, last]); // of two: the state is told after the first have left
    el.hidden = true;
    return;
  }
  const most = Math.max(last, before, open);
  drains.set(g.id, [most, most]);
  el.hidden = false;
  const by = askerOf(g.id), parts = [most === 0 ? "Drain: no connections are left" :
    `Drain: ${count(most - open)} of ${plural(most, "connection")} done, ${count(open)} to go`];
  if (g.left_ms !== null && g.left_ms !== undefined) parts.push(`${age(g.left_ms)} left`);
  if (by) parts.push(`asked for by ${by}`);
  text(el.firstChild, parts.join(", "));
  el.lastChild.max = Math.max(most, 1);
  el.lastChild.value = most === 0 ? 1 : most - open;
}

function showGeneration(el, g, widest) {
  const [head, row, drain, seats] = el.children, [bar, numbers] = row.children, open = openOf(g);
  el.dataset.generation = g.id;
  el.dataset.state = g.state;
  text(head.children[0], "Generation " + g.id);
  pill(head.children[1], g.state);
  text(head.children[2], `version ${g.version} · ${age(g.age_ms)} old · ${plural(g.workers.length, "worker")}`);
  ["busy", "idle", "new"].forEach((c, i) => { bar.children[i].style.width = `${100 * g[c] / Math.max(widest, 1)}%`; });
  const line = `${plural(open, "connection")}: ${count(g.busy)} busy, ${count(g.idle)} idle, ${count(g.new)} new`;
  bar.setAttribute("aria-label", line);
  text(numbers, line);
  showDrain(drain, g);
  each(seats, g.workers, w => w.birth, () => make("li"), (li, w) => {
    li.dataset.state = w.state;
    text(li, `slot ${w.slot}: ${w.state}`);
    li.title = `pid ${w.pid}, birth ${w.birth}`;
  });
}

function showGenerations(list) {
  const widest = Math.max(...list.map(openOf), 0), ids = new Set(list.map(g => g.id));
  each($("generations"), [...list].reverse(), g => g.id, newGeneration, (el, g) => showGeneration(el, g, widest));
  for (const id of drains.keys()) if (!ids.has(id)) drains.delete(id);
}

// --- plots

function newPlot(title, classes) {
  const picture = svg("svg", { viewBox: "0 0 100 50", preserveAspectRatio: "none", role: "img" });
  if (classes.length === 1) picture.append(svg("path", { class: "area" }));
  picture.append(...classes.map(c => svg("path", { class: c })));
  return make("div", "plot", make("h3", "", title), make("div", "now"),
    make("div", "top", make("span"), make("span")), picture);
}

// lines: lists of [ms, value or null], which end at `end`.
function draw(el, lines, end, words) {
  const all = lines.flat().map(p => p[1]).filter(v => v !== null);
  const top = Math.max(...all, 0), picture = el.lastChild;
  const span = Math.max(end - samples[0].ms, LEAST_MS), x = ms => (100 * (1 - (end - ms) / span)).toFixed(2);
  const y = v => (49 - 47 * v / (top || 1)).toFixed(2);
  const paths = Array.from(picture.children), area = paths[0].classList.contains("area") ? paths.shift() : null;
  lines.forEach((line, i) => {
    let d = "", pen = false;
    for (const [ms, v] of line) {
      if (v !== null) d += `${pen ? "L" : "M"}${x(ms)} ${y(v)}`;
      pen = v !== null;
    }
    paths[i].setAttribute("d", d);
    if (area) area.setAttribute("d", d ? `${d}L${x(line[line.length - 1][0])} 49L${x(line.find(p => p[1] !== null)[0])} 49Z` : "");
  });
  text(el.children[2].firstChild, `${Math.round(span / 1000)} s`);
  text(el.children[2].lastChild, all.length ? `max ${words(top)}` : "");
}

// What was counted at a sample, per second, over the time before it.
function rate(i, of) {
  let j = i;
  while (j > 0 && samples[i].ms - samples[j - 1].ms <= RATE_MS) j--;
  if (j === i) j = i - 1;
  if (j < 0 || samples[i].ms === samples[j].ms) return null;
  return Math.max(0, (of(samples[i]) - of(samples[j])) * 1000 / (samples[i].ms - samples[j].ms));
}

const PLOTS = [
  { key: "requests", title: "Requests", unit: "/s", value: i => rate(i, s => s.totals.requests), say: plain },
  { key: "accepted", title: "New connections", unit: "/s", value: i => rate(i, s => s.totals.accepted), say: plain },
  { key: "open", title: "Open connections", unit: "", value: i => samples[i].open, say: plain },
  { key: "bytes_in", title: "Bytes from clients", unit: "/s", value: i => rate(i, s => s.totals.bytes_in), say: bytes },
  { key: "bytes_out", title: "Bytes to clients", unit: "/s", value: i => rate(i, s => s.totals.bytes_out), say: bytes },
];

function showTraffic() {
  const end = samples[samples.length - 1].ms;
  each($("traffic"), PLOTS, p => p.key, p => newPlot(p.title, ["line"]), (el, p) => {
    const line = samples.map((s, i) => [s.ms, p.value(i)]), now = line[line.length - 1][1];
    const say = v => words(p.say(v)) + p.unit, shown = now === null ? ["–", ""] : p.say(now);
    el.dataset.plot = p.key;
    el.children[1].replaceChildren(shown[0], make("small", "", ` ${shown[1]}${now === null ? "" : p.unit}`));
    draw(el, [line], end, say);
    el.lastChild.setAttribute("aria-label", now === null ? `${p.title}: not known yet` :
      `${p.title}: now ${say(now)}, in 2 minutes at most ${say(Math.max(...line.map(v => v[1] || 0)))}`);
  });
}

// The share of what came between two samples that was not above the result.
function quantiles(now, before, shares) {
  const diff = [];
  let n = 0;
  for (const [end, c] of now || []) {
    const d = c - ((before || []).find(b => b[0] === end) || [0, 0])[1];
    if (d > 0) diff.push([end, d]);
    n += Math.max(d, 0);
  }
  return shares.map(share => {
    let seen = 0;
    for (const [end, d] of diff) if ((seen += d) >= share * n) return end === null ? 2 ** 27 : end;
    return null;
  });
}

function latencyAt(i, name) {
  const s = samples[i];
  if (!s.quantiles.has(name)) {
    let j = i;
    while (j > 0 && s.ms - samples[j].ms < WINDOW_MS) j--;
    s.quantiles.set(name, j === i ? [null, null, null] :
      quantiles(s.latency.get(name), samples[j].latency.get(name), [0.5, 0.9, 0.99]));
  }
  return s.quantiles.get(name);
}

function showLatency(services) {
  const shown = services.filter(s => s.latency && s.type !== "admin"), names = ["p50", "p90", "p99"];
  const end = samples[samples.length - 1].ms, last = samples.length - 1, say = us => words(micros(us));
  $("no-latency").hidden = shown.length > 0;
  each($("latency"), shown, s => s.name, s => newPlot(s.name, names), (el, s) => {
    const lines = names.map((_, q) => samples.map((v, i) => [v.ms, latencyAt(i, s.name)[q]])), now = latencyAt(last, s.name);
    el.dataset.service = s.name;
    text(el.firstChild, `${titled(s.name, s.type)}, ${plural(s.latency.count, "request")} so far`);
    const values = now[0] === null ? [make("small", "", "no request in 10 seconds")] :
      [make("div", "quantiles", ...names.map((n, q) => make("span", n, n + " ", make("b", "", say(now[q])))))];
    el.children[1].replaceChildren(...values);
    draw(el, lines, end, say);
    el.lastChild.setAttribute("aria-label", now[0] === null ? `Latency of ${s.name}: no request in 10 seconds` :
      `Latency of ${s.name}: ${names.map((n, q) => `${n} ${say(now[q])}`).join(", ")}`);
  });
}

// --- changes, listeners, totals

const titled = (name, type) => type && type !== name ? `${name} (${type})` : name;

function note(change) {
  const old = known.get(change.seq); // the last change is told without who asked, too
  known.set(change.seq, { ...old, ...change, at_ms: old && old.at_ms || change.at_ms });
}

function when(ms) {
  if (!ms) return "before this page knew";
  const d = new Date(ms), two = n => String(n).padStart(2, "0");
  return `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())} ${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}`;
}

function showChanges() {
  const list = [...known.values()].sort((a, b) => b.seq - a.seq).slice(0, CHANGES);
  $("changes").hidden = list.length === 0;
  $("no-changes").hidden = list.length > 0;
  each($("changes").tBodies[0], list, c => c.seq, () => make("tr", "", make("td", "fit when"), make("td", "fit"),
    make("td", "fit", make("span", "pill")), make("td", "fit"), make("td", "by"), make("td", "reason")), (tr, c) => {
    const [at, what, outcome, took, by, reason] = tr.children;
    tr.dataset.outcome = c.outcome;
    tr.dataset.what = c.what;
    text(at, when(c.at_ms));
    text(what, c.what);
    pill(outcome.firstChild, c.outcome);
    text(took, words(micros(c.took_ms * 1000)));
    text(by, asker(c));
    text(reason, c.reason || "");
  });
}

// Of the classes that there were: "12 2xx, 3 4xx".
const CLASSES = ["1xx", "2xx", "3xx", "4xx", "5xx"];
const answersOf = a => CLASSES.filter(c => a[c] > 0).map(c => `${count(a[c])} ${c}`).join(", ");

function showListeners(list, services) {
  const types = new Map(services.map(s => [s.name, s.type]));
  each($("listeners").tBodies[0], list, l => l.name + " " + l.address,
    () => make("tr", "", make("td", "name"), make("td", "service"), make("td", "address"), make("td", "answers")), (tr, l) => {
      text(tr.children[0], l.name);
      text(tr.children[1], titled(l.service, types.get(l.service)));
      text(tr.children[2], l.address);
      text(tr.children[3], answersOf(l.answers || {}));
    });
}

function showServices(list) {
  $("s-services").hidden = list.length === 0;
  each($("services").tBodies[0], list, a => a.service, () => make("tr", "", make("td", "name"), make("td", "answers")), (tr, a) => {
    text(tr.children[0], a.service);
    text(tr.children[1], answersOf(a));
  });
}

// Of one upstream: what keeps requests from it, or nothing does.
function stateOf(u) {
  return u.check === "ill" ? "check fails" : u.breaker === "open" ? "breaker open" : "up";
}

function showUpstreams(list) {
  $("s-upstreams").hidden = list.length === 0;
  each($("upstreams").tBodies[0], list, u => u.service + " " + u.address,
    () => make("tr", "", make("td", "service"), make("td", "address"), make("td", "fit", make("span", "pill")),
      make("td", "fit"), make("td", "fit"), make("td", "fit")), (tr, u) => {
      const [service, address, state, requests, failures, open] = tr.children;
      tr.dataset.outcome = stateOf(u) === "up" ? "committed" : "refused";
      text(service, u.service);
      text(address, u.address);
      pill(state.firstChild, stateOf(u));
      text(requests, u.requests === null ? "" : count(u.requests)); // not known
      text(failures, u.failures === null ? "" : count(u.failures));
      text(open, u.busy === null ? "" : u.idle === null ? `${u.busy} busy` : `${u.busy} busy, ${u.idle} idle`);
    });
}

const TOTALS = [
  ["accepted", "Connections accepted"], ["handed_off", "Connections handed off"], ["cut", "Connections cut by force"],
  ["refused", "Connections turned away by a proxy"], ["requests", "Requests"], ["bytes_in", "Bytes from clients", bytes],
  ["bytes_out", "Bytes to clients", bytes], ["worker_deaths", "Workers that died"],
];

function showTotals(totals) {
  const pairs = TOTALS.filter(t => t[0] in totals).flatMap(t => [[t[0] + "-name", "dt", t[1]],
    [t[0], "dd", t[2] ? words(t[2](totals[t[0]])) : count(totals[t[0]])]]);
  each($("totals"), pairs, p => p[0], p => make(p[1]), (el, p) => text(el, p[2]));
}

// --- the whole

function showHead(s) {
  const open = s.generations.reduce((n, g) => n + openOf(g), 0), workers = s.generations.reduce((n, g) => n + g.workers.length, 0);
  const facts = [`version ${s.version}`, `pid ${s.pid}`, `up ${age(s.uptime_ms)}`, `generation ${s.generation} serves`,
    plural(workers, "worker"), plural(open, "connection")];
  text($("facts"), facts.join(" · "));
  text($("by"), `Answered by slot ${s.answered_by.slot} of generation ${s.answered_by.generation}.`);
}

function showWarnings(list) {
  $("warnings").hidden = list.length === 0;
  each($("warnings"), list, w => w, w => make("li", "", w), () => {});
}

// What a screen reader is told: changes only.
function announce(s) {
  const draining = s.generations.filter(g => g.state === "draining").map(g => g.id);
  const line = `baton is ${s.state}; generation ${s.generation} serves` + (draining.length ? `; generation ${draining.join(", ")} drains` : "");
  if (line !== told) text($("said"), line);
  told = line;
}

function take(s) {
  const last = samples[samples.length - 1];
  if (last && (s.uptime_ms < last.uptime && s.totals.accepted < last.totals.accepted || s.clock_ms < last.ms)) {
    samples = []; // it was started anew
    known.clear();
  }
  samples.push({
    ms: s.clock_ms, uptime: s.uptime_ms, totals: s.totals, quantiles: new Map(),
    open: s.generations.reduce((n, g) => n + openOf(g), 0),
    latency: new Map(s.services.filter(v => v.latency).map(v => [v.name, v.latency.buckets])),
  });
  while (samples[0].ms < s.clock_ms - KEEP_MS) samples.shift();
  (s.history || []).forEach(note);
  if (s.last) note(s.last);
  latest = s;
}

function show() {
  if (paused || !latest) return;
  const s = latest;
  showHead(s);
  showGenerations(s.generations);
  showTraffic();
  showLatency(s.services);
  showChanges();
  showUpstreams(s.upstreams || []);
  showListeners(s.listeners, s.services);
  showServices(s.answers || []);
  showTotals(s.totals);
  showWarnings(s.warnings || []);
  announce(s);
}

// The truth about the page itself: does it still hear from baton, and baton from its master?
function showLink() {
  const quiet = performance.now() - heard, lost = quiet > LOST_MS, link = $("link");
  const silent = !lost && latest && latest.master_silent_ms > SILENT_MS;
  link.dataset.link = heard === 0 && !lost ? "waiting" : lost ? "lost" : "live";
  text(link, lost ? "connection lost" : heard === 0 ? "connecting…" : paused ? "live, not shown" : "live");
  document.body.classList.toggle("lost", lost);
  pill($("state"), lost || !latest ? "unknown" : latest.state);
  document.title = lost ? "baton: connection lost" : latest ? `baton: ${latest.state}` : "baton";
  $("trouble").hidden = !lost && !silent;
  if (lost) text($("trouble"), heard === 0 ? "No word from baton yet; trying again." :
    `The connection to baton is lost; trying again. What is below was true at ${when(Date.now() - quiet).slice(11)}.`);
  else if (silent) text($("trouble"), `The master has said nothing for ${age(latest.master_silent_ms)}: it is dead or stuck. The workers serve on.`);
}

function connect() {
  const source = new EventSource("events");
  source.addEventListener("status", e => {
    heard = performance.now();
    take(JSON.parse(e.data));
    show();
    showLink();
  });
  source.addEventListener("change", e => {
    heard = performance.now();
    note(JSON.parse(e.data));
    if (!paused) showChanges();
  });
  source.addEventListener("error", () => {
    if (source.readyState === EventSource.CLOSED) setTimeout(connect, 2000); // it was answered with an error
  });
}

$("pause").addEventListener("click", () => {
  paused = !paused;
  $("pause").setAttribute("aria-pressed", String(paused));
  show();
  showLink();
});
setInterval(showLink, 500);
connect();
