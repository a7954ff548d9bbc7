/**
 * The live picture of a flow. Python decides what there is to see (layout, statuses, times, text); this draws it,
 * and sends back what the reader asks for. From top to bottom: pure logic, helpers for elements, the parts of the
 * widget, and the widget that joins them. Text of the user becomes an element's text, never its HTML.
 */

// ---- pure logic ----------------------------------------------------------------------------------------------

const [STATUS, CACHED, STALE, WARNED, PRINTED] = [15, 16, 32, 64, 128]; // the bits of a node's byte
const [SECOND, MINUTE, HOUR] = [1000, 60, 3600];
const NOT_RUN = { name: "not run", symbol: "·", word: "not run", color: "#6b7280", dark: "#9ca3af" };
const PALE = new Set(["not run", "waiting", "ready", "skipped", "cached"]); // what does not run now
const LIVE = new Set(["running", "retrying"]);
const READABLE = 0.6; // the scale from which a card shows all it has
const ENDED = new Set(["succeeded", "cached", "failed", "skipped", "cancelled"]);

/** Give the bytes of a Bytes trait, which arrives as a DataView, and from others as an array or not at all. */
export function bytesOf(value) {
  if (!value) return new Uint8Array(0);
  if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  return new Uint8Array(value);
}

/** Read a node's byte. */
export function decodeState(byte) {
  return {
    status: byte & STATUS,
    cached: (byte & CACHED) !== 0,
    stale: (byte & STALE) !== 0,
    warned: (byte & WARNED) !== 0,
    printed: (byte & PRINTED) !== 0,
  };
}

/** Read all times: for node i, its start is at 2 i and what it took at 2 i + 1, in seconds or NaN. */
export function decodeTimes(value) {
  const bytes = bytesOf(value);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Float32Array.from({ length: bytes.byteLength >> 2 }, (_, i) => view.getFloat32(4 * i, true));
}

/** List the positions at which two arrays differ; NaN equals itself. */
export function changes(before, after) {
  const found = [];
  for (let i = 0; i < after.length; i++) if (!Object.is(before[i], after[i])) found.push(i);
  return found;
}

/** Write a duration with the two or three digits that matter, as the other views do. */
export function humanSeconds(seconds) {
  const milliseconds = Math.round(seconds * SECOND),
    whole = Math.round(seconds);
  if (milliseconds < SECOND) return milliseconds || !seconds ? `${milliseconds} ms` : "<1 ms";
  if (Math.round(seconds * 10) / 10 < MINUTE) return `${seconds.toFixed(1)} s`;
  if (whole < HOUR) return `${Math.floor(whole / MINUTE)} min ${whole % MINUTE} s`;
  return `${Math.floor(whole / HOUR)} h ${Math.floor((whole % HOUR) / MINUTE)} min`;
}

/** Write a time that ticks: never narrower than a tenth of a second, so that it does not flicker. */
export function ticking(seconds) {
  return seconds < 1 ? `${Math.max(0, seconds).toFixed(1)} s` : humanSeconds(seconds);
}

const WIDE =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]/u;

/** Count columns: wide characters take two. */
export function columns(text) {
  if (text.length < 256 && !/[\u0300-\uffff]/.test(text.replace("…", "."))) return text.length;
  let count = 0;
  for (const character of text) count += /\p{M}/u.test(character) ? 0 : WIDE.test(character) ? 2 : 1;
  return count;
}

/** Cut out the middle of a text that is too wide, since names differ at both ends. */
export function shorten(text, room) {
  const flat = text.trim().replace(/\s+/gu, " ");
  if (columns(flat) <= room) return flat;
  const characters = [...flat];
  const head = fitting(characters, Math.floor(room / 2));
  const tail = fitting([...characters].reverse(), room - 1 - columns(head));
  return `${head}…${[...tail].reverse().join("")}`;
}

function fitting(characters, room) {
  let used = 0,
    end = 0;
  while (end < characters.length && (used += columns(characters[end])) <= room) end++;
  return characters.slice(0, end).join("");
}

/** Read a graph that came as one short text: Python's `packed` is the other half. */
export function unpacked(text) {
  if (!text) return {};
  const { names, at, ends, labels = {}, params = [], kinds = {}, bends = {}, ...rest } = JSON.parse(text);
  const nodes = names.map((name, i) => ({ name, x: at[2 * i], y: at[2 * i + 1] }));
  for (const [i, label] of Object.entries(labels)) nodes[i].label = label;
  for (const i of params) nodes[i].kind = "param";
  const edges = Array.from({ length: ends.length / 2 }, (_, i) => ({ a: ends[2 * i], b: ends[2 * i + 1] }));
  for (const [i, kind] of Object.entries(kinds)) edges[i].kind = kind;
  for (const [i, flat] of Object.entries(bends))
    edges[i].points = Array.from({ length: flat.length / 2 }, (_, k) => [flat[2 * k], flat[2 * k + 1]]);
  return { ...rest, nodes, edges };
}

/** Fill in what a graph's data leave out: sizes that all nodes share, and edges that go straight from side to side. */
export function completed(graph) {
  const whole = { flow: "", direction: "LR", width: 0, height: 0, nodes: [], edges: [], groups: [], ...graph };
  const nodes = whole.nodes.map((node) => ({ kind: "task", w: whole.w, h: whole.h, ...node }));
  const down = whole.direction === "TB";
  const side = ({ x, y, w, h }, share) => (down ? [x + w / 2, y + h * share] : [x + w * share, y + h / 2]);
  const edges = whole.edges
    .filter(({ a, b }) => nodes[a] && nodes[b])
    .map((edge) => ({ kind: "plain", points: [side(nodes[edge.a], 1), side(nodes[edge.b], 0)], ...edge }));
  return { ...whole, nodes, edges };
}

/** Map each node to those before it and those after it. */
export function neighbours(count, edges) {
  const before = Array.from({ length: count }, () => []),
    after = Array.from({ length: count }, () => []);
  for (const { a, b } of edges) {
    if (a in after && b in before) {
      after[a].push(b);
      before[b].push(a);
    }
  }
  return { before, after };
}

/** Give all that can be reached from a node, without itself unless a cycle leads back. */
export function closure(near, start) {
  const reached = new Set(),
    open = [...(near[start] ?? [])];
  while (open.length) {
    const node = open.pop();
    if (!reached.has(node)) {
      reached.add(node);
      open.push(...near[node]);
    }
  }
  return reached;
}

/** Whether a drawing is so much wider than high that it is better shown above what is told of a task than beside it. */
export function isFlat({ width, height }, room, share = 0.56) {
  const scale = (space) => Math.min(1, (space - 48) / Math.max(width, 1));
  const above = scale(room);
  return above >= READABLE && scale(room * share) < above && height * above <= 340;
}

const centre = (node) => [node.x + node.w / 2, node.y + node.h / 2];

/** Where an arrow key leads: along an edge to the neighbour most in line, else to the nearest node on that side. */
export function walk(nodes, near, from, key, direction) {
  if (!nodes[from]) return nodes.length ? 0 : -1;
  if (key === "Home") return 0;
  if (key === "End") return nodes.length - 1;
  const sideways = key === "ArrowLeft" || key === "ArrowRight";
  const ahead = key === "ArrowRight" || key === "ArrowDown";
  const along = sideways === (direction !== "TB");
  const axis = sideways ? 0 : 1,
    other = 1 - axis,
    sign = ahead ? 1 : -1;
  const here = centre(nodes[from]);
  const offset = (i) => centre(nodes[i]).map((value, k) => value - here[k]);
  const linked = along ? (ahead ? near.after : near.before)[from] : [];
  const others = linked.length ? linked : nodes.keys();
  let best = from,
    least = Infinity;
  for (const i of others) {
    const gap = offset(i);
    if (i === from || (!linked.length && gap[axis] * sign <= 1)) continue;
    // Off the line counts more, so that Up and Down keep to a layer.
    const cost = linked.length ? Math.abs(gap[other]) : Math.abs(gap[axis]) + 4 * Math.abs(gap[other]);
    if (cost < least) [best, least] = [i, cost];
  }
  return best;
}

/** Give the nodes that a search and a choice of statuses leave, or null if both leave all. */
export function matching(nodes, states, text, statuses) {
  const words = text.toLowerCase().split(/\s+/u).filter(Boolean);
  if (!words.length && !statuses.size) return null;
  const found = new Set();
  nodes.forEach((node, i) => {
    const name = `${node.label ?? ""} ${node.name}`.toLowerCase();
    const status = (states[i] ?? STATUS) & STATUS;
    if (words.every((word) => name.includes(word)) && (!statuses.size || statuses.has(status))) found.add(i);
  });
  return found;
}

/** Count the tasks of each status, parameters left out, as [status, count], in the order of the table. */
export function tally(nodes, states) {
  const counts = new Map();
  nodes.forEach(({ kind }, i) => {
    if (kind === "param") return;
    const status = (states[i] ?? STATUS) & STATUS;
    counts.set(status, (counts.get(status) ?? 0) + 1);
  });
  return [...counts].sort(([a], [b]) => a - b);
}

/** Give the moment, on the clock of `now`, at which a run began: message times are the kernel's, and it may be far away. */
export function beganAt(run, now, wall, fresh) {
  const told = run.elapsed ?? 0;
  const guessed = wall / SECOND - (run.began ?? Infinity);
  const late = !fresh && run.active && guessed > told && guessed < told + 24 * HOUR;
  return now - SECOND * (late ? guessed : told);
}

/** Say in the card's second line what a task does or did, as far as there is room. */
export function stateLine(look, { elapsed, took, note }, room) {
  const time =
    LIVE.has(look.name) && Number.isFinite(elapsed)
      ? ticking(elapsed)
      : Number.isFinite(took)
        ? humanSeconds(took)
        : "";
  const word = look.name === "retrying" && note ? `${look.word} ${note}` : look.word;
  const parts = [word, time, word === look.word ? note : ""].filter(Boolean);
  while (parts.length > 1 && columns(parts.join(" · ")) > room) parts.pop();
  return shorten(parts.join(" · "), room);
}

/** Say of a run that is over what the counts of its statuses do not. */
export function briefly({ active, elapsed, failed, total, line }) {
  if (active || total === undefined) return line ?? "";
  if (!Number.isFinite(elapsed)) return total === 1 ? "1 task" : `${total} tasks`;
  return `${failed ? "failed after" : "took"} ${humanSeconds(elapsed)}`;
}

/** Turn a route into a path: level parts stay straight, and a change of lane becomes an S. */
export function curve(points, direction) {
  let [[x, y]] = points;
  let path = `M${x} ${y}`;
  for (const [u, v] of points.slice(1)) {
    const mx = (x + u) / 2,
      my = (y + v) / 2;
    if (x === u || y === v) path += `L${u} ${v}`;
    else if (direction === "TB") path += `C${x} ${my} ${u} ${my} ${u} ${v}`;
    else path += `C${mx} ${y} ${mx} ${v} ${u} ${v}`;
    [x, y] = [u, v];
  }
  return path;
}

/** Scale and place a drawing so that all of it is seen, in the middle, and never larger than life. */
export function fitted(width, height, room, margin = 24) {
  const k = Math.min(
    (room.width - 2 * margin) / Math.max(width, 1),
    (room.height - 2 * margin) / Math.max(height, 1),
    1,
  );
  const scale = Math.max(k, 0.02);
  return { k: scale, x: (room.width - width * scale) / 2, y: (room.height - height * scale) / 2 };
}

/** Place a drawing so that a box is in the middle, as far as no room is left empty beside the drawing. */
export function centred({ x, y, w, h }, k, size, room, margin = 40) {
  const along = (middle, whole, space) => {
    const free = space - whole * k;
    return free > 2 * margin ? free / 2 : Math.min(Math.max(space / 2 - middle * k, free - margin), margin);
  };
  return { k, x: along(x + w / 2, size.width, room.width), y: along(y + h / 2, size.height, room.height) };
}

/** Zoom by a factor about a point that stays where it is. */
export function zoomed({ k, x, y }, factor, [px, py]) {
  const next = Math.min(Math.max(k * factor, 0.03), 3);
  return { k: next, x: px - ((px - x) * next) / k, y: py - ((py - y) * next) / k };
}

/** How much a card shows at a scale: 0 all, 1 its name larger, 2 larger still, 3 its symbol, 4 its colour. */
export const detail = (k) => (k >= READABLE ? 0 : k >= 0.42 ? 1 : k >= 0.26 ? 2 : k >= 0.18 ? 3 : 4);

const byName = new Intl.Collator("en", { numeric: true }).compare;

/** Sort what ran into one lane a worker, each in order of time. */
export function lanes(rows) {
  const found = new Map();
  for (const row of rows) {
    if (!Number.isFinite(row.start)) continue;
    const worker = String(row.worker ?? "");
    if (!found.has(worker)) found.set(worker, []);
    found.get(worker).push(row);
  }
  return [...found]
    .sort(([a], [b]) => byName(a, b))
    .map(([worker, bars]) => ({ worker, bars: bars.sort((a, b) => a.start - b.start) }));
}

const BAR_NAME = 6.7,
  BAR_TIME = 6.2; // px a column of the timeline's letters

/** Choose what stands in each bar of a lane: name and time, or the name; where it is too short, beside it if there is room. */
export function labels(bars, end, width, texts) {
  const wide = (seconds) => (width * seconds) / end;
  const until = (bar) => (Number.isFinite(bar.end) ? bar.end : end);
  return bars.map((bar, n) => {
    const inside = wide(until(bar) - bar.start) - 14,
      after = wide((bars[n + 1]?.start ?? end) - until(bar)) - 12;
    const [name, time] = texts[n];
    const short = columns(name) * BAR_NAME,
      long = short + (columns(time) + 1) * BAR_TIME;
    if (long <= inside) return { name, time, beside: false };
    if (short <= inside) return { name, time: "", beside: false };
    if (long <= after) return { name, time, beside: true };
    return { name, time: "", beside: short <= after };
  });
}

/** Count how many tasks were ready and had no worker: [moment, count] at each change. */
export function queue(rows, end) {
  const steps = new Map();
  const add = (at, by) => steps.set(at, (steps.get(at) ?? 0) + by);
  for (const { ready, start } of rows) {
    const until = Number.isFinite(start) ? start : end;
    if (Number.isFinite(ready) && until > ready) {
      add(ready, 1);
      add(until, -1);
    }
  }
  let count = 0;
  return [...steps].sort(([a], [b]) => a - b).map(([at, by]) => [at, (count += by)]);
}

/** Choose round moments for an axis. */
export function ticks(end, most) {
  if (!(end > 0)) return [0];
  const rough = end / Math.max(most, 1);
  const power = 10 ** Math.floor(Math.log10(rough));
  const clocks = [1, 2, 5, 10].map((n) => n * power).concat([15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200]);
  const fits = (step) => step >= rough && (step < MINUTE ? step <= 30 || step < 1 : step % MINUTE === 0);
  const step = Math.min(...clocks.filter(fits), 24 * HOUR);
  return Array.from({ length: Math.floor(end / step + 1e-9) + 1 }, (_, i) => +(i * step).toPrecision(12));
}

/** Write a moment on an axis: without digits that are all the same. */
export function tickText(seconds) {
  if (seconds < MINUTE) return seconds && seconds < 1 ? humanSeconds(seconds) : `${+seconds.toFixed(3)} s`;
  return humanSeconds(seconds).replace(/ 0 (s|min)$/u, "");
}

/** Say how long the critical path is and what lies on it. */
export function criticalLine(critical, rows, name) {
  const on = new Map(rows.map((row) => [row.index, row]));
  const spent = critical.reduce((sum, i) => sum + Math.max(0, (on.get(i)?.end ?? NaN) - on.get(i)?.start || 0), 0);
  if (!critical.length) return "";
  const names = critical.map(name);
  const shown =
    names.length > 12 ? [...names.slice(0, 6), `… ${names.length - 9} more …`, ...names.slice(-3)] : names;
  return `${humanSeconds(spent)} in ${shown.join(" → ")}`;
}

/** Read what a control holds, as the parameter's own type. */
export function paramValue(kind, text) {
  if (kind === "flag") return Boolean(text);
  if (kind !== "number" && kind !== "integer") return text;
  const value = Number(text);
  if (text === "" || !Number.isFinite(value)) return undefined;
  return kind === "integer" ? Math.round(value) : value;
}

/** Choose a slider's step: its own, one, or a hundredth of the range in round numbers. */
export function paramStep({ kind, min, max, step }) {
  if (step) return step;
  if (kind === "integer") return 1;
  return Number.isFinite(min) && Number.isFinite(max) && max > min
    ? 10 ** Math.floor(Math.log10((max - min) / 100))
    : "any";
}

// ---- elements ------------------------------------------------------------------------------------------------

const SVG = "http://www.w3.org/2000/svg";
const ICONS = {
  run: "M5 3.5v9l7.5-4.5z",
  stop: "M4.5 4.5h7v7h-7z",
  graph: "M2 6h4v4H2zM10 2h4v4h-4zM10 10h4v4h-4zM6 8h2V4h2M8 8v4h2",
  timeline: "M2 4h6M5 8h7M9 12h5",
  search: "M7 2.5a4.5 4.5 0 1 1 0 9a4.5 4.5 0 0 1 0-9M10.5 10.5L14 14",
  plus: "M8 3v10M3 8h10",
  minus: "M3 8h10",
  fit: "M2.5 6V2.5H6M10 2.5h3.5V6M13.5 10v3.5H10M6 13.5H2.5V10",
  right: "M2.5 8h10M9 4.5L12.5 8L9 11.5",
  down: "M8 2.5v10M4.5 9L8 12.5L11.5 9",
  cell: "M2.5 3.5h11v9h-11zM5 6.5L7 8L5 9.5M8.5 9.5h2.5",
  close: "M4 4l8 8M12 4l-8 8",
  reset: "M3 3.5V7h3.5M3.4 7A5 5 0 1 1 3.2 9.5",
};
const MARKS = [
  { bit: STALE, kind: "stale", words: "out of date", path: "M-3.3 -.6A3.4 3.4 0 1 1 -2.6 2.2M-3.6 -3.2V-.5H-.9" },
  { bit: WARNED, kind: "warned", words: "has warnings", path: "M0 -3.6V.9M0 3.2V3.3" },
  { bit: CACHED, kind: "cached", words: "from cache", path: "M-3.2 -2.2H3.2M-3.2 0H3.2M-3.2 2.2H3.2" },
];
const ACTIONS = [
  { act: "run_to", text: "Run to here", hint: "Run this task and what it needs (R)" },
  { act: "run_from", text: "Run from here", hint: "Run this task and all that depends on it" },
  { act: "run_only", text: "Only this", hint: "Run this task alone, on the results that are there" },
  { act: "force", text: "Force", hint: "Run this task even if its result could be reused" },
  {
    act: "accept",
    text: "Accept",
    hint: "Take the result as up to date, without running",
    when: (state) => state.stale,
  },
  { act: "cancel_task", text: "Cancel task", hint: "Stop this task", when: (_, look) => LIVE.has(look.name) },
  { act: "goto", text: "Open cell", hint: "Open cell: scroll to where this task is defined", glyph: "cell" },
];
const LEGEND = {
  plain: "explicit",
  inferred: "inferred from names",
  conditional: "conditional",
  dynamic: "made while running",
};

function make(tag, options = {}, ...children) {
  const element = document.createElement(tag);
  const { text, on, ...attributes } = options;
  if (text !== undefined) element.textContent = text;
  assign(element, attributes);
  element.append(...children.filter(Boolean));
  return element;
}

function draw(tag, attributes = {}, ...children) {
  const element = assign(document.createElementNS(SVG, tag), attributes);
  element.append(...children);
  return element;
}

function assign(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  return element;
}

function icon(name) {
  const solid = name === "run" || name === "stop";
  return draw(
    "svg",
    { class: `gf-icon${solid ? " gf-solid" : ""}`, viewBox: "0 0 16 16", "aria-hidden": "true" },
    draw("path", { d: ICONS[name] }),
  );
}

function button(label, { glyph, hint, kind = "", bare = false } = {}) {
  const element = make("button", {
    type: "button",
    class: `gf-button ${kind}`.trim(),
    title: hint ?? (bare ? label : null),
    "aria-label": bare ? label : null,
  });
  if (glyph) element.append(icon(glyph));
  if (!bare) element.append(make("span", { text: label }));
  return element;
}

/** Show a symbol as text even where a font would make it a coloured picture. */
const symbol = (look) => `${look.symbol}\uFE0E`;

function chip(look, status) {
  return make("span", {
    class: "gf-disc-chip",
    "data-s": status,
    "aria-hidden": "true",
    text: symbol(look),
    "data-pale": PALE.has(look.name),
  });
}

/** Whether the page is dark, by what front ends say of themselves, else by what is behind the widget. */
function isDark(element) {
  const { body } = document;
  if (body.dataset.jpThemeLight) return body.dataset.jpThemeLight !== "true";
  if (/\bvscode-(dark|high-contrast)\b/u.test(body.className))
    return !body.classList.contains("vscode-high-contrast-light");
  for (let at = element; at; at = at.parentElement) {
    const [r, g, b, alpha = 1] = (getComputedStyle(at).backgroundColor.match(/[\d.]+/gu) ?? []).map(Number);
    if (r !== undefined && alpha > 0.5) return 0.299 * r + 0.587 * g + 0.114 * b < 128;
  }
  return false;
}

/** Make an id that no other view in the page has; each may come with a module of its own, so none can count. */
const freshId = () => `gf-${Math.random().toString(36).slice(2, 10)}`;

/** What ends with a view: listeners by its signal, all else by what was put here. */
class Life {
  constructor() {
    this.aborter = new AbortController();
    this.ends = [];
  }

  get over() {
    return this.aborter.signal.aborted;
  }

  listen(target, kinds, handler, options = {}) {
    for (const kind of kinds.split(" "))
      target.addEventListener(kind, handler, { ...options, signal: this.aborter.signal });
  }

  follow(model, name, handler) {
    model.on(name, handler);
    this.ends.push(() => model.off(name, handler));
  }

  end() {
    this.aborter.abort();
    for (const end of this.ends.splice(0)) end();
  }
}

// ---- the stage: pan and zoom ---------------------------------------------------------------------------------

const CORNERS = 30; // px at the bottom for the legend and the buttons

/** A window on a drawing. One transform moves all of it, and the compositor does that without painting. */
class Stage {
  constructor(life, onDetail) {
    this.world = make("div", { class: "gf-world" });
    this.element = make("div", { class: "gf-stage", "data-detail": "4" }, this.world);
    this.onDetail = onDetail;
    this.at = { k: 1, x: 0, y: 0 };
    this.size = { width: 0, height: 0 };
    this.room = { width: 0, height: 0 };
    this.touched = false; // whether the reader chose the place: then it stays
    this.dragged = false;
    this.pointers = new Map();
    this.frame = 0;
    this.still = 0;
    this.#listen(life);
    life.ends.push(() => {
      cancelAnimationFrame(this.frame);
      clearTimeout(this.still);
    });
  }

  #listen(life) {
    life.listen(this.element, "wheel", (event) => this.#wheel(event), { passive: false });
    life.listen(this.element, "pointerdown", (event) => this.#down(event));
    life.listen(this.element, "pointermove", (event) => this.#move(event));
    life.listen(this.element, "pointerup pointercancel", (event) => this.#up(event));
    life.listen(this.element, "click", (event) => this.#click(event), { capture: true });
  }

  #point(event) {
    const box = this.element.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  #wheel(event) {
    if (!event.ctrlKey && !event.metaKey) return; // the page scrolls
    event.preventDefault();
    this.#go(
      zoomed(
        this.at,
        Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0022) * (Math.abs(event.deltaY) < 20 ? 4 : 1)),
        this.#point(event),
      ),
    );
  }

  #down(event) {
    this.dragged = false;
    if (event.button || event.target.closest(".gf-over")) return;
    this.pointers.set(event.pointerId, this.#point(event));
  }

  #move(event) {
    const before = this.pointers.get(event.pointerId);
    if (!before) return;
    const now = this.#point(event),
      [dx, dy] = [now[0] - before[0], now[1] - before[1]];
    if (!this.dragged && Math.hypot(dx, dy) < 4) return;
    if (!this.dragged) this.element.setPointerCapture(event.pointerId);
    this.dragged = true;
    this.element.classList.add("gf-dragging");
    const [other] = [...this.pointers].filter(([id]) => id !== event.pointerId).map(([, at]) => at);
    if (other) {
      const spread = ([x, y]) => Math.hypot(x - other[0], y - other[1]);
      this.#go(zoomed(this.at, spread(now) / Math.max(spread(before), 1), other));
    } else this.#go({ ...this.at, x: this.at.x + dx, y: this.at.y + dy });
    this.pointers.set(event.pointerId, now);
  }

  #up(event) {
    this.pointers.delete(event.pointerId);
    if (!this.pointers.size) this.element.classList.remove("gf-dragging");
  }

  /** The end of a drag is no click. */
  #click(event) {
    if (this.dragged) event.stopPropagation();
    this.dragged = false;
  }

  #go(at) {
    this.touched = true;
    this.#show(at, true);
  }

  #show(at, moving = false) {
    if (moving) this.#promote();
    else this.world.style.willChange = "";
    this.at = at;
    this.frame ||= requestAnimationFrame(() => this.#apply());
  }

  /** Keep the painted drawing while it moves; at another scale it is painted sharp again once it rests. */
  #promote() {
    if (!this.world.style.willChange) this.painted = this.at.k;
    this.world.style.willChange = "transform";
    clearTimeout(this.still);
    this.still = setTimeout(() => {
      if (this.at.k === this.painted) return;
      this.world.style.willChange = "";
      this.#rest();
    }, 160);
  }

  /** Show as much as the scale allows; not while it changes, since that touches every card. */
  #rest() {
    const level = detail(this.at.k);
    if (String(level) === this.element.dataset.detail) return;
    this.element.dataset.detail = level;
    this.onDetail(level);
  }

  #apply() {
    this.frame = 0;
    const { k, x, y } = this.at;
    this.world.style.transform = `translate(${x}px, ${y}px) scale(${k})`;
    if (!this.world.style.willChange) this.#rest();
  }

  resize(room) {
    if (room.width === this.room.width && room.height === this.room.height && !this.grown) return;
    const [dx, dy] = [(room.width - this.room.width) / 2, (room.height - this.room.height) / 2];
    const first = !this.room.width;
    this.room = room;
    this.grown = false;
    if (!this.touched || first) this.fit();
    else this.#show({ ...this.at, x: this.at.x + dx, y: this.at.y + dy });
  }

  fit() {
    this.touched = false;
    const { width, height } = this.room;
    if (width) this.#show(fitted(this.size.width, this.size.height, { width, height: height - CORNERS }));
    this.#apply();
  }

  zoom(factor) {
    this.#go(zoomed(this.at, factor, [this.room.width / 2, this.room.height / 2]));
  }

  /** Keep a box in sight in a window that has become small, large enough to read; fitting everything ends that. */
  attend(box) {
    if (!this.touched && this.at.k < 0.42) {
      this.#show(this.#about(box, 0.62));
      this.#apply();
    } else if (this.touched) this.reveal(box);
  }

  #about(box, k) {
    return centred(box, k, this.size, this.room);
  }

  /** Bring a box into sight, at a scale at which it can be read if asked. */
  reveal({ x, y, w, h }, readable = false) {
    const { k } = this.at;
    const scale = readable && k < 0.6 ? 0.8 : k;
    const [left, top] = [this.at.x + x * scale, this.at.y + y * scale];
    const inside =
      left > 16 && top > 16 && left + w * scale < this.room.width - 16 && top + h * scale < this.room.height - 16;
    if (inside && scale === k) return;
    this.#go(this.#about({ x, y, w, h }, scale));
  }

  /** Where a box is seen, in pixels from the stage's corner. */
  seen({ x, y, w, h }) {
    const { k } = this.at;
    return { left: this.at.x + x * k, top: this.at.y + y * k, width: w * k, height: h * k };
  }
}

// ---- the graph -----------------------------------------------------------------------------------------------

const TEXT_LEFT = 40,
  TEXT_RIGHT = 8,
  NAME_COLUMN = 7.9,
  STATE_COLUMN = 6.1;
const FAR = 4;
const NAME_COLUMNS = [NAME_COLUMN, 11.4, 15.2]; // by how much a card shows: the style sheet's letters, in px a column

/** One task's card. It keeps what it shows, so that only what changes is touched; far away it is a mere box. */
class Card {
  constructor(index, node) {
    this.byte = -1;
    this.line = "";
    this.level = FAR;
    this.button = draw("rect", { class: "gf-card", role: "button", tabindex: -1 });
    this.element = draw("g", { class: node.kind === "param" ? "gf-node gf-param" : "gf-node" }, this.button);
    this.place(index, node);
  }

  place(index, node) {
    this.index = index;
    this.node = node;
    this.element.dataset.i = index;
    this.element.style.transform = `translate(${node.x}px, ${node.y}px)`;
    assign(this.button, { width: node.w, height: node.h, rx: node.kind === "param" ? node.h / 2 : 9 });
    if (this.name) this.#title();
  }

  detail(level) {
    this.level = level;
    if (level === FAR) return;
    if (!this.name) this.#dress();
    this.#title();
  }

  #dress() {
    const text = (kind, x, y) => draw("text", { class: `gf-${kind}`, x, y, "aria-hidden": "true" }); // the label says it all
    this.glyph = text("glyph", 21, 28.5);
    this.name = text("name", TEXT_LEFT, 20.5);
    this.state = text("state", TEXT_LEFT, 37);
    this.paper = draw("path", {
      class: "gf-paper",
      d: "M0 0H11V9H0zM2 6.8L4.5 4L6.5 6L8 4.8L9.2 6.8",
      transform: `translate(${this.node.w - 20} 11)`,
    });
    this.element.append(
      draw("circle", { class: "gf-disc", cx: 21, cy: 24, r: 10.5 }),
      this.glyph,
      this.name,
      this.state,
      this.paper,
    );
    this.state.textContent = this.line;
    if (this.look) this.#wear();
    this.progress(this.fraction);
  }

  #title() {
    const left = this.level === 2 ? TEXT_LEFT - 4 : TEXT_LEFT;
    const room = Math.floor((this.node.w - left - TEXT_RIGHT) / (NAME_COLUMNS[this.level] ?? NAME_COLUMN));
    const text = shorten(this.node.label || this.node.name, room);
    this.short = text.includes("…");
    if (this.name.textContent !== text) this.name.textContent = text;
    this.#tell();
  }

  /** Show that there is output, where the name leaves room for that. */
  #tell() {
    const used = columns(this.name.textContent) * (NAME_COLUMNS[this.level] ?? NAME_COLUMN);
    const shown = this.byte >= 0 && this.byte & PRINTED && TEXT_LEFT + used + 26 <= this.node.w;
    this.paper.style.display = shown ? "" : "none";
  }

  paint(byte, look) {
    if (byte === this.byte) return;
    [this.byte, this.look] = [byte, look];
    const { element } = this;
    element.dataset.s = byte & STATUS;
    element.toggleAttribute("data-pale", PALE.has(look.name));
    element.toggleAttribute("data-live", LIVE.has(look.name));
    element.toggleAttribute("data-failed", look.name === "failed");
    element.toggleAttribute("data-stale", (byte & STALE) !== 0);
    this.button.setAttribute(
      "aria-label",
      `${this.node.name}, ${this.node.kind === "param" ? "parameter" : look.word}`,
    );
    this.marks = MARKS.filter(({ bit, kind }) => byte & bit && !(kind === "cached" && look.name === "cached"));
    if (this.marks.length)
      this.button.setAttribute("aria-description", this.marks.map(({ words }) => words).join(", "));
    else this.button.removeAttribute("aria-description");
    if (this.name) this.#wear();
  }

  #wear() {
    this.#tell();
    this.glyph.textContent = this.node.kind === "param" ? "ƒ" : symbol(this.look);
    this.badges?.remove();
    this.badges = null;
    if (!this.marks.length) return;
    const drawn = this.marks.map(({ kind, path }, i) =>
      draw(
        "g",
        { class: `gf-mark gf-${kind}`, transform: `translate(${this.node.w - 14 - 19 * i} 0)` },
        draw("circle", { r: 8 }),
        draw("path", { d: path }),
      ),
    );
    this.badges = draw("g", { class: "gf-marks" }, ...drawn);
    this.element.append(this.badges);
  }

  write(line) {
    if (this.line === line) return;
    this.line = line;
    if (this.state) this.state.textContent = line;
  }

  progress(fraction) {
    this.fraction = fraction ?? null;
    if (!this.name) return;
    if (this.fraction === null) {
      this.bar?.remove();
      this.bar = null;
      return;
    }
    if (!this.bar) {
      const at = { x: TEXT_LEFT, y: this.node.h - 6.5, width: this.node.w - TEXT_LEFT - 12, height: 3, rx: 1.5 };
      this.bar = draw("g", { class: "gf-bar" }, draw("rect", at), draw("rect", at));
      this.element.append(this.bar);
    }
    this.bar.lastChild.style.transform = `scaleX(${Math.min(Math.max(fraction, 0), 1)})`;
  }
}

/** Boxes, edges and frames, from Python's layout. */
class Graph {
  constructor(id) {
    this.id = id;
    this.cards = [];
    this.lines = [];
    this.near = { before: [], after: [] };
    this.data = { nodes: [], edges: [], groups: [] };
    this.current = 0; // the one that Tab reaches
    this.level = FAR;
    this.frames = draw("g");
    this.edges = draw("g");
    this.nodes = draw("g", { class: "gf-nodes" });
    const marker = draw(
      "marker",
      {
        id: `${id}-arrow`,
        viewBox: "0 0 8 8",
        refX: 7.5,
        refY: 4,
        markerWidth: 8,
        markerHeight: 8,
        markerUnits: "userSpaceOnUse",
        orient: "auto",
      },
      draw("path", { class: "gf-arrow", d: "M.5 .7L7.5 4L.5 7.3z", fill: "#8b949e" }),
    );
    this.element = draw(
      "svg",
      { class: "gf-svg", role: "group" },
      draw("defs", {}, marker),
      this.frames,
      this.edges,
      this.nodes,
    );
  }

  /** Take a new layout; what was there moves, what is new appears. */
  load(data) {
    const old = new Map(this.cards.map((card) => [card.node.name, card]));
    const first = !old.size;
    this.data = data;
    this.near = neighbours(data.nodes.length, data.edges);
    this.cards = data.nodes.map((node, i) => {
      const card = old.get(node.name);
      if (card && card.node.kind === node.kind && card.node.w === node.w && card.node.h === node.h) {
        old.delete(node.name);
        card.place(i, node);
        return card;
      }
      const made = new Card(i, node);
      if (!first) made.element.classList.add("gf-born");
      return made;
    });
    this.detail(this.level);
    this.nodes.replaceChildren(...this.cards.map((card) => card.element));
    this.#edges();
    this.#frames();
    this.element.setAttribute("width", data.width);
    this.element.setAttribute("height", data.height);
    this.element.setAttribute("aria-label", `Tasks of ${data.flow || "the flow"}`);
    this.focusable(Math.min(this.current, Math.max(this.cards.length - 1, 0)));
  }

  #edges() {
    this.lines = this.data.edges.map((edge) =>
      draw("path", {
        class: `gf-edge gf-${edge.kind || "plain"}`,
        d: curve(edge.points, this.data.direction),
        "marker-end": `url(#${this.id}-arrow)`,
      }),
    );
    this.edges.replaceChildren(...this.lines);
  }

  #frames() {
    const frames = (this.data.groups ?? []).map(({ name, x, y, w, h }) => {
      const text = draw("text", { x: x + 12, y: y + 17 });
      text.textContent = shorten(name, Math.max(4, Math.floor((w - 20) / 6.6)));
      return draw("g", { class: "gf-frame" }, draw("rect", { x, y, width: w, height: h, rx: 12 }), text);
    });
    this.frames.replaceChildren(...frames);
  }

  /** Fit the names to what the scale shows: larger letters have less room. */
  detail(level) {
    this.level = level;
    for (const card of this.cards) if (card.level !== level) card.detail(level);
  }

  focusable(index) {
    this.cards[this.current]?.button.setAttribute("tabindex", -1);
    this.current = index;
    this.cards[index]?.button.setAttribute("tabindex", 0);
  }

  /** Light up what leads to a node and what depends on it; a negative index ends that. */
  trace(index) {
    for (const lit of this.lit ?? []) lit.classList.remove("gf-up", "gf-down", "gf-here");
    this.lit = [];
    const on = index >= 0 && index < this.cards.length;
    this.element.classList.toggle("gf-tracing", on);
    if (!on) return;
    const up = closure(this.near.before, index),
      down = closure(this.near.after, index);
    const light = (element, kind) => {
      element.classList.add(kind);
      this.lit.push(element);
    };
    light(this.cards[index].element, "gf-here");
    for (const i of up) light(this.cards[i].element, "gf-up");
    for (const i of down) light(this.cards[i].element, "gf-down");
    this.data.edges.forEach(({ a, b }, i) => {
      if (up.has(a) && (up.has(b) || b === index)) light(this.lines[i], "gf-up");
      else if (down.has(b) && (down.has(a) || a === index)) light(this.lines[i], "gf-down");
    });
  }

  /** Let all but some nodes step back; null brings all to the front. */
  keep(found) {
    this.element.classList.toggle("gf-filtered", found !== null);
    this.cards.forEach((card, i) => card.element.classList.toggle("gf-match", found !== null && found.has(i)));
    this.data.edges.forEach(({ a, b }, i) =>
      this.lines[i].classList.toggle("gf-match", found !== null && found.has(a) && found.has(b)),
    );
  }
}

// ---- the timeline --------------------------------------------------------------------------------------------

const WORKER = 104; // px for the workers' names: the style sheet's

/** What ran when, a lane for each worker; above them, how many tasks waited for one. */
class Timeline {
  constructor(life, { onOpen, onHover, onRun }) {
    this.kept = null;
    this.zoom = 1;
    this.summary = make("div", { class: "gf-critical-line" });
    this.plot = make("div", { class: "gf-plot", role: "group", "aria-label": "Timeline" });
    this.scroll = make("div", { class: "gf-plot-scroll" }, this.plot);
    this.empty = make("div", {
      class: "gf-empty",
      text: "Nothing has run yet. After a run, this shows what ran when, and where the time went.",
    });
    this.element = make("div", { class: "gf-timeline" }, this.summary, this.scroll, this.empty);
    life.listen(this.plot, "click", (event) => this.#bar(event, onOpen));
    life.listen(this.plot, "pointerover focusin", (event) => this.#bar(event, (i, bar) => onHover(i, bar)));
    life.listen(this.plot, "pointerleave focusout", () => onHover(-1));
    life.listen(this.plot, "keydown", (event) => this.#key(event, onRun));
  }

  /** Let all but some tasks step back, as in the graph. */
  keep(found) {
    this.kept = found;
    for (const bar of this.plot.querySelectorAll(".gf-span"))
      bar.classList.toggle("gf-out", found !== null && !found.has(Number(bar.dataset.i)));
  }

  #bar(event, use) {
    const bar = event.target.closest?.(".gf-span");
    if (bar) use(Number(bar.dataset.i), bar);
  }

  #key(event, onRun) {
    if (/^r$/iu.test(event.key) && !event.ctrlKey && !event.metaKey) this.#bar(event, onRun);
    const bars = [...this.plot.querySelectorAll(".gf-span")],
      at = bars.indexOf(event.target);
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (at < 0 || !step) return;
    event.preventDefault();
    const next = bars[at + step];
    if (!next) return;
    event.target.setAttribute("tabindex", -1);
    next.setAttribute("tabindex", 0);
    next.focus();
  }

  rezoom(factor) {
    this.zoom = factor ? Math.min(Math.max(this.zoom * factor, 1), 40) : 1;
    this.plot.style.width = `${100 * this.zoom}%`;
    if (this.shown) this.show(...this.shown);
  }

  show(data, nodes, lookOf, selected) {
    this.shown = [data, nodes, lookOf, selected];
    const rows = data.rows ?? [],
      found = lanes(rows);
    const last = rows.reduce((most, row) => Math.max(most, row.end || 0, row.start || 0), 0);
    const end = Math.max(data.end || 0, last) || 1;
    const critical = new Set(data.critical ?? []);
    const focused = this.plot.contains(document.activeElement) ? document.activeElement.dataset.i : undefined;
    this.height = found.length ? 32 + 22 + 31 * (found.length + 1) + 54 : 200;
    this.empty.hidden = found.length > 0;
    this.scroll.hidden = !found.length;
    const line = criticalLine(data.critical ?? [], rows, (i) => nodes[i]?.name ?? "?");
    this.summary.replaceChildren(
      ...(line
        ? [
            make("span", { class: "gf-critical-key", text: "Critical path" }),
            make("span", { class: "gf-critical-text", text: line, title: line }),
          ]
        : []),
    );
    this.plot.replaceChildren(
      this.#axis(end),
      this.#waiting(rows, end),
      ...found.map((lane) => this.#lane(lane, { end, critical, nodes, lookOf, selected })),
    );
    const again = focused === undefined ? null : this.plot.querySelector(`.gf-span[data-i="${focused}"]`);
    (again ?? this.plot.querySelector(".gf-span"))?.setAttribute("tabindex", 0);
    again?.focus({ preventScroll: true });
    if (this.kept) this.keep(this.kept);
  }

  #axis(end) {
    const most = Math.max(2, Math.floor(((this.scroll.clientWidth || 800) * this.zoom) / 110));
    const marks = ticks(end, most).map((at) => {
      const share = at / end;
      return make("span", {
        class: share > 0.96 ? "gf-tick gf-last" : "gf-tick",
        text: tickText(at),
        style: `left:${100 * share}%`,
      });
    });
    return make(
      "div",
      { class: "gf-lane gf-axis", "aria-hidden": "true" },
      make("div", { class: "gf-worker" }),
      make("div", { class: "gf-track" }, ...marks),
    );
  }

  #waiting(rows, end) {
    const steps = queue(rows, end),
      most = Math.max(1, ...steps.map(([, count]) => count));
    let path = "M0 20",
      level = 20;
    for (const [at, count] of steps) {
      const x = (1000 * at) / end;
      path += `L${x} ${level}`;
      level = 20 - (18 * count) / most;
      path += `L${x} ${level}`;
    }
    const area = draw(
      "svg",
      { viewBox: "0 0 1000 20", preserveAspectRatio: "none", "aria-hidden": "true" },
      draw("path", { d: `${path}L1000 ${level}L1000 20z` }),
    );
    const text = steps.length ? `up to ${most}` : "none";
    return make(
      "div",
      { class: "gf-lane gf-queue" },
      make("div", { class: "gf-worker" }, make("span", { text: "waiting" }), make("small", { text })),
      make("div", { class: "gf-track" }, area),
    );
  }

  #lane({ worker, bars }, { end, critical, nodes, lookOf, selected }) {
    const until = (row) => (Number.isFinite(row.end) ? row.end : end);
    const width = (this.scroll.clientWidth || 800) * this.zoom - WORKER;
    const texts = bars.map((row) => [
      `${symbol(lookOf(row.status))} ${nodes[row.index]?.name ?? "?"}`,
      humanSeconds(until(row) - row.start),
    ]);
    const found = labels(bars, end, width, texts);
    const spans = bars.flatMap((row, n) => {
      const look = lookOf(row.status);
      const name = nodes[row.index]?.name ?? "?";
      const marks = `${critical.has(row.index) ? " gf-critical" : ""}${row.index === selected ? " gf-selected" : ""}`;
      const style = `left:${(100 * row.start) / end}%;width:${(100 * Math.max(until(row) - row.start, 0)) / end}%`;
      const label = `${name}, ${look.word}, ${texts[n][1]}${critical.has(row.index) ? ", on the critical path" : ""}`;
      const { beside } = found[n];
      const text = make("span", { text: found[n].name }, found[n].time && make("small", { text: found[n].time }));
      const bar = make(
        "button",
        {
          type: "button",
          class: `gf-span${marks}`,
          style,
          "data-i": row.index,
          "data-s": look.index,
          "data-live": LIVE.has(look.name),
          tabindex: -1,
          "aria-label": label,
        },
        !beside && text,
      );
      if (!beside) return [bar];
      const at = { class: "gf-beside", style: `left:${(100 * until(row)) / end}%`, "aria-hidden": "true" };
      return [bar, make("div", at, text)];
    });
    return make(
      "div",
      { class: "gf-lane" },
      make("div", { class: "gf-worker", text: worker || "main", title: worker }),
      make("div", { class: "gf-track" }, ...spans),
    );
  }
}

// ---- the pane ------------------------------------------------------------------------------------------------

const EMPTY = { Code: "The code is not known.", Why: "No reasons to tell yet.", Data: "No data yet." };
const TABS = ["Output", "Code", "Why", "Data", "Runs"];

/** Tabs by the book: one stop of Tab, arrows between them. */
class Tabs {
  constructor(life, names, { id, label, onChoose, glyphs = {} }) {
    this.tabs = names.map((name) =>
      make(
        "button",
        {
          type: "button",
          role: "tab",
          class: "gf-tab",
          id: `${id}-tab-${name}`,
          "aria-controls": `${id}-panel-${name}`,
        },
        glyphs[name] && icon(glyphs[name]),
        make("span", { text: name }),
      ),
    );
    this.names = names;
    this.onChoose = onChoose;
    this.element = make("div", { class: "gf-tabs", role: "tablist", "aria-label": label }, ...this.tabs);
    life.listen(this.element, "click", (event) => {
      const at = this.tabs.indexOf(event.target.closest("[role=tab]"));
      if (at >= 0) this.choose(names[at]);
    });
    life.listen(this.element, "keydown", (event) => {
      const at = this.tabs.indexOf(event.target);
      const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: names.length - 1 }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      this.choose(names[(to + names.length) % names.length]);
      this.tabs[this.names.indexOf(this.chosen)].focus();
    });
  }

  choose(name) {
    this.chosen = name;
    this.tabs.forEach((tab, i) => {
      tab.setAttribute("aria-selected", this.names[i] === name);
      tab.setAttribute("tabindex", this.names[i] === name ? 0 : -1);
    });
    this.onChoose(name);
  }
}

/** What is known of the selected task. Jupyter itself renders its outputs. */
class Pane {
  constructor(life, id, { onAct, onClose }) {
    this.disc = chip(NOT_RUN, STATUS);
    this.title = make("h3", { class: "gf-title" });
    this.about = make("div", { class: "gf-about" });
    const close = button("Close", { glyph: "close", bare: true, hint: "Close (Esc)", kind: "gf-quiet" });
    this.actions = ACTIONS.map(({ text, hint, glyph, ...action }) => ({
      ...action,
      button: button(text, { hint, glyph, bare: Boolean(glyph), kind: glyph ? "gf-quiet" : "" }),
    }));
    const [plain, small] = [false, true].map((quiet) =>
      this.actions.map((action) => action.button).filter((made) => made.classList.contains("gf-quiet") === quiet),
    );
    const bar = make("div", { class: "gf-actions", role: "toolbar", "aria-label": "This task" }, ...plain);
    this.panels = Object.fromEntries(
      TABS.map((name) => [
        name,
        make("div", {
          class: `gf-panel gf-${name.toLowerCase()}`,
          role: "tabpanel",
          id: `${id}-panel-${name}`,
          "aria-labelledby": `${id}-tab-${name}`,
          tabindex: 0,
          hidden: true,
        }),
      ]),
    );
    this.tabs = new Tabs(life, TABS, {
      id,
      label: "About this task",
      onChoose: (chosen) => TABS.forEach((name) => (this.panels[name].hidden = name !== chosen)),
    });
    this.element = make(
      "section",
      { class: "gf-pane", "aria-label": "Task", hidden: true },
      make(
        "div",
        { class: "gf-pane-head" },
        make(
          "div",
          { class: "gf-pane-name" },
          this.disc,
          make("div", { class: "gf-names" }, this.title, this.about),
          ...small,
          close,
        ),
        bar,
      ),
      this.tabs.element,
      make("div", { class: "gf-panels" }, ...Object.values(this.panels)),
    );
    for (const { act, button: pressed } of this.actions) life.listen(pressed, "click", () => onAct(act));
    life.listen(close, "click", onClose);
    this.shown = {};
    this.none = make("div", { class: "gf-empty" });
    this.host = make("div", { class: "gf-outputs" });
    this.panels.Output.append(this.host, this.none);
    this.tabs.choose("Output");
  }

  head(node, state, look, line) {
    this.title.textContent = node.name;
    this.title.title = node.name;
    this.disc.dataset.s = state.status;
    this.disc.toggleAttribute("data-pale", PALE.has(look.name));
    this.disc.textContent = node.kind === "param" ? "ƒ" : symbol(look);
    this.about.textContent = [
      line,
      state.stale && "out of date",
      state.cached && look.name !== "cached" && "from cache",
      state.warned && "has warnings",
    ]
      .filter(Boolean)
      .join(" · ");
    for (const { when, button: shown } of this.actions) shown.hidden = when ? !when(state, look) : false;
    this.none.textContent = LIVE.has(look.name)
      ? "No output yet."
      : ENDED.has(look.name)
        ? "This task printed and displayed nothing."
        : "No output: this task has not run.";
  }

  body(pane) {
    for (const name of ["Code", "Why", "Data"]) {
      const html = pane?.[name.toLowerCase()];
      if (this.shown[name] === html && html) continue; // the reader may have selected some of it
      this.shown[name] = html;
      this.panels[name].innerHTML = html ?? ""; // Python's own markup, in which all text is escaped
      if (!html) this.panels[name].append(make("div", { class: "gf-empty", text: pane ? EMPTY[name] : "…" }));
    }
  }

  runs(runs, lookOf) {
    const longest = Math.max(...(runs ?? []).map((run) => run.seconds || 0)) || 1;
    const rows = (runs ?? []).map((run) => {
      const look = lookOf(run.status);
      return make(
        "tr",
        {},
        make("td", {}, chip(look, look.index), make("span", { text: look.word })),
        make("td", { class: "gf-number", text: Number.isFinite(run.seconds) ? humanSeconds(run.seconds) : "" }),
        make(
          "td",
          { class: "gf-long", "aria-hidden": "true" },
          run.seconds > 0 && make("i", { "data-s": look.index, style: `width:${(72 * run.seconds) / longest}px` }),
        ),
        make("td", { text: run.when ?? "" }),
        make("td", { text: run.note ?? "" }),
      );
    });
    const heads = ["Status", "Time", "", "When", "Note"].map((text) =>
      text ? make("th", { text, scope: "col" }) : make("td", {}),
    );
    this.panels.Runs.replaceChildren(
      rows.length
        ? make(
            "table",
            { class: "gf-runs-table" },
            make("thead", {}, make("tr", {}, ...heads)),
            make("tbody", {}, ...rows),
          )
        : make("div", { class: "gf-empty", text: "No runs yet." }),
    );
  }
}

/** A bar between the picture and the pane, to pull or to move by arrow keys. */
function splitter(life, pane) {
  const bar = make("div", {
    class: "gf-split",
    role: "separator",
    "aria-orientation": "vertical",
    "aria-label": "Width of the pane",
    "aria-valuemin": 20,
    "aria-valuemax": 75,
    "aria-valuenow": 44,
    tabindex: 0,
  });
  const widen = (wanted) => {
    const share = Math.min(Math.max((100 * wanted) / bar.parentElement.clientWidth, 20), 75);
    pane.style.width = `${share}%`;
    bar.setAttribute("aria-valuenow", Math.round(share));
  };
  life.listen(bar, "pointerdown", (event) => {
    event.preventDefault();
    bar.setPointerCapture(event.pointerId);
  });
  life.listen(
    bar,
    "pointermove",
    (event) =>
      bar.hasPointerCapture(event.pointerId) &&
      widen(bar.parentElement.getBoundingClientRect().right - event.clientX),
  );
  life.listen(bar, "keydown", (event) => {
    const by = { ArrowLeft: 24, ArrowRight: -24 }[event.key];
    if (!by) return;
    event.preventDefault();
    widen(pane.clientWidth + by);
  });
  return bar;
}

/** A view of the Output model, put in and taken out as Lumino would, since ours is not a Lumino parent. */
class OutputHost {
  constructor(model, host, none, onLost) {
    this.host = host;
    this.none = none;
    this.onLost = onLost;
    this.gone = false;
    this.#load(model).catch((error) => {
      if (!this.gone) none.textContent = "Outputs cannot be shown here.";
      console.warn("[graflow] outputs", error);
    });
  }

  async #load(model) {
    const reference = model.get("outputs");
    if (!reference) return;
    this.model =
      typeof reference === "string"
        ? await model.widget_manager.get_model(reference.slice("IPY_MODEL_".length))
        : reference;
    const view = await model.widget_manager.create_view(this.model);
    if (this.gone) {
      view.remove();
      return;
    }
    this.view = view;
    this.#tell("before-attach");
    this.host.append(view.el);
    this.#tell("after-attach");
    this.count = () => (this.none.hidden = (this.model.get("outputs")?.length ?? 0) > 0);
    this.model.on("change:outputs", this.count);
    this.count();
    // Ours is a proxy that does not tell; but both models come from one kernel.
    this.alive = () => this.onLost(this.model.comm_live === false);
    this.model.on("comm_live_update", this.alive);
    this.alive();
  }

  #tell(type) {
    const widget = this.view.luminoWidget ?? this.view.pWidget;
    widget?.processMessage?.({ type, isConflatable: false, conflate: () => false });
  }

  end() {
    this.gone = true;
    if (!this.view) return;
    this.model.off("change:outputs", this.count);
    this.model.off("comm_live_update", this.alive);
    this.#tell("before-detach");
    this.view.el.remove();
    this.#tell("after-detach");
    this.view.remove();
  }
}

// ---- parameters, statuses, messages --------------------------------------------------------------------------

const PATIENCE = 2 * SECOND; // how long a value may take to be known to Python

/** The flow's parameters as controls. */
class Params {
  constructor(life, id, { onChange, onAuto }) {
    this.life = life;
    this.id = id;
    this.onChange = onChange;
    this.controls = new Map();
    this.timers = new Map();
    this.sent = new Map();
    this.list = make("div", { class: "gf-controls" });
    this.auto = make("input", { type: "checkbox", role: "switch", id: `${id}-auto` });
    const toggle = make(
      "label",
      { class: "gf-switch", title: "Run what a change puts out of date, at once", for: `${id}-auto` },
      this.auto,
      make("span", { class: "gf-knob", "aria-hidden": "true" }),
      make("span", { text: "Auto" }),
    );
    this.element = make(
      "div",
      { class: "gf-params", role: "group", "aria-label": "Parameters", hidden: true },
      this.list,
      toggle,
    );
    life.listen(this.auto, "change", () => onAuto(this.auto.checked));
    life.ends.push(
      () => this.timers.forEach(({ id: timer }) => clearTimeout(timer)),
      () => clearTimeout(this.waiting),
    );
  }

  show(params) {
    this.element.hidden = !params.length;
    const shape = JSON.stringify(params.map(({ value, ...rest }) => rest));
    if (shape !== this.shape) {
      this.shape = shape;
      this.controls = new Map(
        params.map((param, i) => [param.name, this.#control(param, `${this.id}-param-${i}`)]),
      );
      this.list.replaceChildren(...[...this.controls.values()].map(({ element }) => element));
    }
    this.params = params;
    this.#settle();
  }

  /** Show Python's values, except where it has not heard the reader's latest yet: else a slider would jump back. */
  #settle() {
    const now = performance.now();
    for (const { name, value } of this.params) {
      const sent = this.sent.get(name);
      if (sent && !Object.is(sent.value, value) && now - sent.at < PATIENCE) continue;
      this.sent.delete(name);
      this.controls.get(name)?.write(value);
    }
    clearTimeout(this.waiting);
    if (this.sent.size) this.waiting = setTimeout(() => this.#settle(), PATIENCE);
  }

  #control(param, id) {
    const { kind, min, max } = param;
    const ranged = (kind === "number" || kind === "integer") && Number.isFinite(min) && Number.isFinite(max);
    const input = this.#input(param, id, ranged);
    const value = make("output", { class: "gf-value", for: id, hidden: !ranged });
    const reset = button(`Reset ${param.name}`, {
      glyph: "reset",
      bare: true,
      kind: "gf-quiet gf-reset",
      hint: `Back to ${param.default}`,
    });
    const read = () =>
      paramValue(
        kind,
        kind === "flag" ? input.checked : kind === "choice" ? param.choices[input.selectedIndex] : input.value,
      );
    const mark = (now) => {
      value.textContent = ranged ? String(now) : "";
      reset.classList.toggle("gf-gone", now === param.default);
      reset.disabled = now === param.default;
      if (ranged) input.style.setProperty("--share", `${(100 * (now - min)) / (max - min || 1)}%`);
    };
    const write = (now) => {
      if (
        this.timers.has(param.name) ||
        (document.activeElement === input && kind !== "flag" && kind !== "choice" && !ranged)
      )
        return;
      if (kind === "flag") input.checked = now;
      else if (kind === "choice") input.selectedIndex = param.choices.findIndex((choice) => choice === now);
      else input.value = now ?? "";
      mark(now);
    };
    const send = (now, wait) => {
      if (now === undefined) return;
      mark(now);
      this.#later(param.name, now, wait);
    };
    if (ranged) this.life.listen(input, "input", () => send(read(), 90));
    this.life.listen(input, "change", () => send(read(), 0));
    this.life.listen(reset, "click", () => {
      this.#later(param.name, param.default, 0);
      write(param.default);
      input.focus();
    });
    return {
      element: make(
        "div",
        { class: "gf-control" },
        make("label", { for: id, text: param.name, title: param.name }),
        input,
        value,
        reset,
      ),
      write,
    };
  }

  #input({ kind, min, max, choices, ...param }, id, ranged) {
    if (kind === "choice")
      return make("select", { id }, ...choices.map((choice) => make("option", { text: String(choice) })));
    if (kind === "flag") return make("input", { id, type: "checkbox" });
    if (kind === "text") return make("input", { id, type: "text", size: 14 });
    return make("input", {
      id,
      type: ranged ? "range" : "number",
      min,
      max,
      step: paramStep({ kind, min, max, ...param }),
    });
  }

  /** Send at most one value each moment while a slider moves, and the last one always. */
  #later(name, value, wait) {
    const timer = this.timers.get(name);
    if (timer && wait) {
      timer.value = value;
      return;
    }
    if (timer) clearTimeout(timer.id);
    this.timers.delete(name);
    if (!Object.is(this.sent.get(name)?.value, value)) this.onChange(name, value);
    this.sent.set(name, { value, at: performance.now() });
    if (!wait) return;
    const entry = { value };
    entry.id = setTimeout(() => {
      this.timers.delete(name);
      if (!Object.is(entry.value, value)) this.#later(name, entry.value, wait);
    }, wait);
    this.timers.set(name, entry);
  }
}

/** What the run is doing, in words, a bar, and a count of each status; a count filters when pressed. */
class StatusLine {
  constructor(life, { onFilter }) {
    this.chosen = new Set();
    this.bar = make("div", {
      class: "gf-progress",
      role: "progressbar",
      "aria-label": "Run",
      "aria-valuemin": 0,
      "aria-valuemax": 100,
    });
    this.line = make("div", { class: "gf-line" });
    this.chips = make("div", { class: "gf-chips", role: "group", "aria-label": "Filter by status" });
    this.notes = make("div", { class: "gf-notes", hidden: true });
    this.element = make("div", { class: "gf-status" }, this.chips, this.line);
    this.buttons = new Map();
    life.listen(this.chips, "click", (event) => {
      const pressed = event.target.closest("button");
      if (!pressed) return;
      const status = Number(pressed.dataset.s);
      if (!this.chosen.delete(status)) this.chosen.add(status);
      this.#press();
      onFilter();
    });
  }

  clear() {
    this.chosen.clear();
    this.#press();
  }

  #press() {
    for (const [status, { element }] of this.buttons)
      element.setAttribute("aria-pressed", this.chosen.has(status));
  }

  count(counts, lookOf) {
    const kept = new Map(counts);
    for (const status of this.chosen) if (!kept.has(status)) kept.set(status, 0);
    for (const [status, { element }] of this.buttons) {
      if (!kept.has(status)) {
        element.remove();
        this.buttons.delete(status);
      }
    }
    for (const [status, count] of [...kept].sort(([a], [b]) => a - b)) {
      if (!this.buttons.has(status)) this.#add(status, lookOf(status));
      const { number } = this.buttons.get(status);
      if (number.textContent !== String(count)) number.textContent = count;
    }
    const total = counts.reduce((sum, [, count]) => sum + count, 0) || 1;
    const ended = counts.filter(([status]) => ENDED.has(lookOf(status).name));
    const done = Math.round((100 * ended.reduce((sum, [, count]) => sum + count, 0)) / total);
    this.bar.setAttribute("aria-valuenow", done);
    this.bar.replaceChildren(
      ...ended.map(([status, count]) =>
        make("span", { "data-s": status, style: `width:${(100 * count) / total}%` }),
      ),
    );
  }

  #add(status, look) {
    const number = make("b", {});
    const element = make(
      "button",
      {
        type: "button",
        class: "gf-chip",
        "data-s": status,
        "aria-pressed": this.chosen.has(status),
        title: `Show only what is ${look.word}`,
      },
      chip(look, status),
      number,
      make("span", { text: look.word }),
    );
    this.buttons.set(status, { element, number });
    const after = [...this.buttons.keys()].filter((other) => other > status).sort((a, b) => a - b)[0];
    this.chips.insertBefore(element, after === undefined ? null : this.buttons.get(after).element);
  }

  run(run) {
    const text = briefly(run);
    if (this.line.textContent !== text) this.line.textContent = text;
    this.line.title = run.line ?? "";
    this.bar.toggleAttribute("data-active", Boolean(run.active));
    const notes = (run.notes ?? []).map((note) => make("div", { text: String(note) }));
    this.notes.hidden = !notes.length;
    this.notes.replaceChildren(...notes);
  }
}

/** Short messages that go by themselves; errors stay until they are closed. */
class Toasts {
  constructor(life) {
    this.element = make("div", { class: "gf-toasts gf-over" });
    this.polite = make("div", { class: "gf-unseen", role: "status" });
    this.urgent = make("div", { class: "gf-unseen", role: "alert" });
    this.timers = new Set();
    life.ends.push(() => this.timers.forEach(clearTimeout));
    life.listen(this.element, "click", (event) => event.target.closest(".gf-button")?.parentElement.remove());
  }

  say(text, kind = "info") {
    (kind === "error" ? this.urgent : this.polite).textContent = text;
    const toast = make(
      "div",
      { class: `gf-toast gf-${kind}` },
      make("span", { text }),
      button("Dismiss", { glyph: "close", bare: true, kind: "gf-quiet" }),
    );
    this.element.append(toast);
    while (this.element.children.length > 3) this.element.firstChild.remove();
    if (kind === "error") return;
    const timer = setTimeout(() => {
      this.timers.delete(timer);
      toast.remove();
    }, 5 * SECOND);
    this.timers.add(timer);
  }
}

// ---- the widget ----------------------------------------------------------------------------------------------

const LOST = "The kernel that this belongs to is gone: run the cell again.";
const TRAITS = ["graph", "states", "times", "progress", "run", "params", "auto", "selected", "pane", "timeline"];

class Widget {
  constructor(model, el) {
    this.model = model;
    this.life = new Life();
    this.id = freshId();
    this.states = new Uint8Array(0);
    this.times = new Float32Array(0);
    this.began = 0;
    this.dirty = new Set();
    this.frame = 0;
    this.timer = 0;
    this.#looks();
    this.#build(el);
    this.#listen();
    this.life.ends.push(() => {
      cancelAnimationFrame(this.frame);
      clearTimeout(this.timer);
      clearTimeout(this.hover);
      clearTimeout(this.asking);
      this.outputs?.end();
      this.root.remove();
    });
    this.#clock(false);
    TRAITS.forEach((name) => this.dirty.add(name));
    this.#flush();
  }

  end() {
    this.life.end();
  }

  #looks() {
    this.statuses = (this.model.get("statuses") ?? []).map((look, index) => ({ ...look, index }));
    this.lookOf = (status) => {
      const at =
        typeof status === "number"
          ? this.statuses[status]
          : this.statuses.find(({ name, word }) => name === status || word === status);
      return at ?? { ...NOT_RUN, index: STATUS };
    };
  }

  #build(el) {
    const { life, id } = this;
    this.graph = new Graph(id);
    this.stage = new Stage(life, (level) => this.graph.detail(level));
    this.stage.world.append(this.graph.element);
    this.timeline = new Timeline(life, {
      onOpen: (i) => this.open(i),
      onHover: (i, bar) => this.#tipOn(i, bar),
      onRun: (i) => this.send("run_to", i),
    });
    this.pane = new Pane(life, id, { onAct: (act) => this.send(act, this.selected), onClose: () => this.close() });
    this.params = new Params(life, id, {
      onChange: (name, value) => this.model.send({ do: "param", name, value }),
      onAuto: (on) => this.#set("auto", on),
    });
    this.status = new StatusLine(life, { onFilter: () => this.#filter() });
    this.toasts = new Toasts(life);
    this.tip = make("div", { class: "gf-tip", role: "tooltip", hidden: true });
    this.legend = make("div", { class: "gf-legend", "aria-hidden": "true" });
    this.stage.element.append(this.legend);
    this.charts = make(
      "div",
      { class: "gf-charts" },
      this.stage.element,
      this.timeline.element,
      this.#tools(),
      this.toasts.element,
      this.tip,
    );
    this.main = make(
      "div",
      { class: "gf-main" },
      this.charts,
      splitter(life, this.pane.element),
      this.pane.element,
    );
    this.root = make(
      "section",
      { class: "gf", "aria-label": "Flow" },
      this.#style(),
      this.#header(),
      this.params.element,
      this.status.bar,
      this.main,
      this.status.element,
      this.status.notes,
      this.toasts.polite,
      this.toasts.urgent,
    );
    this.stage.element.id = `${id}-panel-Graph`;
    this.timeline.element.id = `${id}-panel-Timeline`;
    for (const [element, name] of [
      [this.stage.element, "Graph"],
      [this.timeline.element, "Timeline"],
    ])
      assign(element, { role: "tabpanel", "aria-labelledby": `${id}-tab-${name}` });
    this.tabs.choose("Graph");
    el.append(this.root);
    this.width = this.root.clientWidth || 900; // asked for once, while there is little to lay out
    this.outputs = new OutputHost(this.model, this.pane.host, this.pane.none, (lost) => this.#lose(lost));
    this.#theme();
  }

  /** The statuses' colours come from Python's table, and so do these few rules. */
  #style() {
    const rules = [...this.statuses, { ...NOT_RUN, index: STATUS }].map(
      ({ index, color, dark }) =>
        `.gf [data-s="${index}"]{--c:${safeColour(color)}}.gf[data-theme="dark"] [data-s="${index}"]{--c:${safeColour(dark ?? color)}}`,
    );
    return make("style", { text: rules.join("") });
  }

  #header() {
    this.name = make("h2", { class: "gf-flow" });
    this.tabs = new Tabs(this.life, ["Graph", "Timeline"], {
      id: this.id,
      label: "View",
      glyphs: { Graph: "graph", Timeline: "timeline" },
      onChoose: (name) => this.#view(name),
    });
    this.runs = button("Run", { glyph: "run", kind: "gf-primary", hint: "Run what is out of date" });
    this.cancels = button("Cancel run", { glyph: "stop", hint: "Stop the run" });
    this.life.listen(this.runs, "click", () => this.send("run"));
    this.life.listen(this.cancels, "click", () => this.send("cancel"));
    this.search = make("input", {
      type: "search",
      class: "gf-search-box",
      placeholder: "Find a task",
      "aria-label": "Find a task",
      spellcheck: "false",
    });
    this.found = make("span", { class: "gf-found", role: "status" });
    const box = make("div", { class: "gf-search" }, icon("search"), this.search, this.found);
    return make(
      "header",
      { class: "gf-header" },
      this.name,
      make("div", { class: "gf-buttons", role: "toolbar", "aria-label": "Run" }, this.runs, this.cancels),
      this.tabs.element,
      box,
    );
  }

  #tools() {
    const chosen = (glyph, label, hint, act) => {
      const made = button(label, { glyph, hint, bare: true, kind: "gf-tool" });
      this.life.listen(made, "click", act);
      return made;
    };
    const zoom = (factor) =>
      this.tabs.chosen === "Timeline"
        ? this.timeline.rezoom(factor)
        : factor
          ? this.stage.zoom(factor)
          : this.stage.fit();
    this.turn = chosen("down", "Top to bottom", "Draw from top to bottom", () =>
      this.#set("direction", this.graph.data.direction === "TB" ? "LR" : "TB"),
    );
    return make(
      "div",
      { class: "gf-tools gf-over", role: "toolbar", "aria-label": "View" },
      this.turn,
      chosen("minus", "Zoom out", "Zoom out (-)", () => zoom(1 / 1.3)),
      chosen("plus", "Zoom in", "Zoom in (+), or Ctrl and the wheel", () => zoom(1.3)),
      chosen("fit", "Fit", "Show all (F)", () => zoom(0)),
    );
  }

  #listen() {
    const { life, model } = this;
    for (const name of TRAITS) life.follow(model, `change:${name}`, () => this.#change(name));
    life.follow(model, "msg:custom", (message) => this.#hear(message));
    life.listen(this.search, "input", () => this.#filter());
    life.listen(this.search, "keydown", (event) => this.#searchKey(event));
    life.listen(this.graph.nodes, "click", (event) => this.#on(event, (i) => this.open(i)));
    life.listen(this.graph.nodes, "pointerover", (event) => this.#on(event, (i) => this.#point(i)));
    life.listen(this.graph.nodes, "pointerleave", () => this.#point(-1));
    life.listen(this.graph.nodes, "focusin", (event) => this.#on(event, (i) => this.#focused(i)));
    life.listen(this.graph.nodes, "focusout", () => this.#point(-1));
    life.listen(this.stage.element, "keydown", (event) => this.#stageKey(event));
    life.listen(this.root, "keydown", (event) => this.#rootKey(event));
    // JupyterLab takes keys before they get here, unless this attribute says not to; shortcuts with Ctrl stay its own.
    life.listen(
      window,
      "keydown",
      (event) => {
        if (this.root.contains(event.target))
          this.root.toggleAttribute(
            "data-lm-suppress-shortcuts",
            !(event.ctrlKey || event.metaKey || event.altKey),
          );
      },
      { capture: true },
    );
    const themes = new MutationObserver(() => this.#theme());
    for (const page of [document.body, document.documentElement])
      themes.observe(page, {
        attributes: true,
        attributeFilter: ["class", "theme", "data-jp-theme-light", "data-jp-theme-name", "data-theme"],
      });
    const sizes = new ResizeObserver((entries) =>
      entries.forEach(({ target, contentRect }) => this.#resized(target, contentRect)),
    );
    sizes.observe(this.root);
    sizes.observe(this.charts);
    life.ends.push(
      () => themes.disconnect(),
      () => sizes.disconnect(),
    );
  }

  // -- from the model

  #change(name) {
    if (name === "run") this.#clock(true);
    this.dirty.add(name);
    this.frame ||= requestAnimationFrame(() => this.#flush());
  }

  #clock(fresh) {
    const run = this.model.get("run") ?? {};
    const began = beganAt(run, performance.now(), Date.now(), fresh);
    // The same run's clock only moves on, so that a late message does not set it back and forth.
    this.began = run.id !== undefined && run.id === this.runId && run.active ? Math.min(began, this.began) : began;
    this.runId = run.id;
  }

  #flush() {
    cancelAnimationFrame(this.frame);
    this.frame = 0;
    const dirty = this.dirty;
    this.dirty = new Set();
    const has = (...names) => names.some((name) => dirty.has(name));
    if (has("graph")) this.#graph();
    if (has("run")) this.#run();
    if (has("params")) this.params.show(this.model.get("params") ?? []);
    if (has("auto")) this.params.auto.checked = Boolean(this.model.get("auto"));
    if (has("graph", "states", "times", "progress", "params", "run")) this.#paint(has("graph"), has("params"));
    if (has("selected", "graph")) this.#select();
    if (has("selected", "pane", "graph")) this.#fill();
    if (has("timeline", "selected", "graph") && this.tabs.chosen === "Timeline") this.#drawTimeline();
    this.#tick();
  }

  #graph() {
    const data = completed(unpacked(this.model.get("graph")));
    const turned = data.direction !== this.graph.data.direction || data.flow !== this.graph.data.flow;
    this.graph.load(data);
    this.name.textContent = data.flow ?? "";
    this.stage.size = { width: data.width, height: data.height };
    this.stage.grown = true;
    if (turned) this.stage.touched = false;
    if (!this.stage.touched) this.#arrange();
    this.turn.replaceChildren(icon(data.direction === "TB" ? "right" : "down"));
    const turnTo = data.direction === "TB" ? "Left to right" : "Top to bottom";
    assign(this.turn, { "aria-label": turnTo, title: turnTo });
    this.#legend(new Set(data.edges.map(({ kind }) => kind)));
    this.root.classList.toggle("gf-large", data.nodes.length > 150);
    this.charts.toggleAttribute("data-empty", !data.nodes.length);
  }

  #legend(kinds) {
    const shown = Object.keys(LEGEND).filter((kind) => kinds.has(kind));
    const entries = shown.map((kind) =>
      make(
        "span",
        {},
        draw(
          "svg",
          { class: "gf-key", viewBox: "0 0 28 8" },
          draw("path", { class: `gf-edge gf-${kind}`, d: "M1 4H27" }),
        ),
        make("span", { text: LEGEND[kind] }),
      ),
    );
    this.legend.hidden = !shown.some((kind) => kind !== "plain");
    this.legend.replaceChildren(...entries);
  }

  #paint(all, params) {
    const states = bytesOf(this.model.get("states")),
      times = decodeTimes(this.model.get("times"));
    const progress = this.model.get("progress") ?? {};
    const { cards } = this.graph;
    const moved = new Set(all ? cards.keys() : changes(this.states, states));
    for (const at of changes(this.times, times)) moved.add(at >> 1);
    for (const i of [...Object.keys(progress), ...Object.keys(this.progress ?? {})]) moved.add(Number(i));
    if (params) cards.forEach(({ node }, i) => node.kind === "param" && moved.add(i));
    [this.states, this.times, this.progress] = [states.slice(), times, progress];
    for (const i of moved) if (cards[i]) this.#card(cards[i]);
    this.live = [...states].flatMap((byte, i) => (LIVE.has(this.lookOf(byte & STATUS).name) ? [i] : []));
    this.status.count(tally(this.graph.data.nodes, states), this.lookOf);
    if (this.search.value || this.status.chosen.size) this.#filter();
    if (moved.has(this.selected)) this.#head();
  }

  #card(card) {
    const byte = this.states[card.index] ?? STATUS;
    card.paint(byte, this.lookOf(byte & STATUS));
    card.write(this.#line(card.index, Math.floor((card.node.w - TEXT_LEFT - TEXT_RIGHT) / STATE_COLUMN)));
    card.progress(this.progress[card.index]?.[0]);
  }

  /** Say what a node does, in so many columns. */
  #line(i, room = Infinity) {
    const node = this.graph.data.nodes[i];
    const look = this.lookOf((this.states[i] ?? STATUS) & STATUS);
    if (node.kind === "param") {
      const param = (this.model.get("params") ?? []).find(({ name }) => name === node.name);
      return shorten(param ? `= ${param.value}` : "parameter", room);
    }
    const elapsed = (performance.now() - this.began) / SECOND - this.times[2 * i];
    return stateLine(look, { elapsed, took: this.times[2 * i + 1], note: this.progress[i]?.[1] ?? "" }, room);
  }

  /** Say so when the kernel is gone: what is shown stays, and nothing can be asked for. */
  #lose(lost) {
    if (lost === Boolean(this.lost)) return;
    this.lost = lost;
    this.root.toggleAttribute("data-lost", lost);
    this.#run();
  }

  #run() {
    const told = this.model.get("run") ?? {};
    const run = this.lost ? { active: false, line: LOST, notes: told.notes } : told;
    this.status.run(run);
    this.runs.disabled = Boolean(run.active || this.lost);
    this.cancels.disabled = !run.active;
    this.root.toggleAttribute("data-active", Boolean(run.active));
    if (this.active !== undefined && this.active !== Boolean(run.active))
      this.toasts.polite.textContent = run.active ? "The run began." : `The run ended. ${run.line ?? ""}`;
    if (this.active !== Boolean(run.active)) this.#ask();
    this.active = Boolean(run.active);
  }

  /** Let the times of what runs tick. One timer for all, and none while nothing runs. */
  #tick() {
    clearTimeout(this.timer);
    if (!this.active || !this.live?.length || this.life.over) return;
    this.timer = setTimeout(
      () => {
        if (!document.hidden && this.root.isConnected) {
          for (const i of this.live) {
            const card = this.graph.cards[i];
            if (card) card.write(this.#line(i, Math.floor((card.node.w - TEXT_LEFT - TEXT_RIGHT) / STATE_COLUMN)));
          }
          if (this.live.includes(this.selected)) this.#head();
        }
        this.#tick();
      },
      this.live.length > 40 ? SECOND : 200,
    );
  }

  #select() {
    const selected = this.model.get("selected") ?? -1;
    const open = selected >= 0 && selected < this.graph.cards.length;
    this.graph.cards.forEach(({ element }, i) => {
      if (element.hasAttribute("data-selected") !== (i === selected))
        element.toggleAttribute("data-selected", i === selected);
    });
    this.selected = open ? selected : -1;
    const wasOpen = !this.pane.element.hidden;
    this.pane.element.hidden = !open;
    this.root.toggleAttribute("data-open", open);
    if (open) {
      this.graph.focusable(selected);
      this.#head();
    }
    if (open !== wasOpen) this.#arrange();
  }

  #head() {
    const i = this.selected,
      node = this.graph.data.nodes[i];
    if (!node) return;
    const state = decodeState(this.states[i] ?? STATUS);
    this.pane.head(node, state, this.lookOf(state.status), this.#line(i));
  }

  #fill() {
    const pane = this.model.get("pane") ?? {};
    const there = this.selected >= 0 && pane.index === this.selected;
    this.pane.body(there ? pane : null);
    this.pane.runs(there ? pane.runs : [], this.lookOf);
  }

  #drawTimeline() {
    this.timeline.show(this.model.get("timeline") ?? {}, this.graph.data.nodes, this.lookOf, this.selected);
    this.#height();
  }

  #hear(message) {
    if (message?.said) this.toasts.say(String(message.said), message.kind === "error" ? "error" : "info");
    if (message?.goto && !showCell(this.model, this.root, message.goto))
      this.toasts.say("The cell cannot be shown here.");
  }

  // -- from the reader

  send(act, node) {
    if (this.lost) {
      if (act !== "timeline") this.toasts.say(LOST);
      return;
    }
    this.model.send(node === undefined ? { do: act } : { do: act, node });
  }

  #set(name, value) {
    this.model.set(name, value);
    this.model.save_changes();
  }

  open(i) {
    if (this.model.get("selected") === i) return;
    this.#hideTip();
    this.#set("selected", i);
  }

  close() {
    if (this.selected < 0) return;
    const inside = this.pane.element.contains(document.activeElement),
      card = this.graph.cards[this.selected];
    this.#set("selected", -1);
    this.#flush();
    if (inside) card?.button.focus({ preventScroll: true });
  }

  #on(event, use) {
    const node = event.target.closest?.(".gf-node");
    if (node) use(Number(node.dataset.i));
  }

  #focused(i) {
    this.graph.focusable(i);
    if (!this.graph.cards[i].button.matches(":focus-visible")) return;
    this.stage.reveal(this.graph.data.nodes[i]);
    this.#point(i, 0);
  }

  /** Trace and tell after a moment, so that a pointer on its way does not make the picture flicker. */
  #point(i, wait = 140) {
    clearTimeout(this.hover);
    this.hover = setTimeout(
      () => {
        if (this.stage.pointers.size) return;
        this.graph.trace(i);
        if (i < 0 || i === this.selected) this.#hideTip();
        else this.#tipOn(i);
      },
      i < 0 ? 60 : wait,
    );
  }

  #tipOn(i, bar) {
    const node = this.graph.data.nodes[i];
    if (!node) return this.#hideTip();
    const state = decodeState(this.states[i] ?? STATUS);
    const more = [
      state.stale && "out of date",
      state.cached && this.lookOf(state.status).name !== "cached" && "from cache",
      state.warned && "has warnings",
      state.printed && "has output",
    ].filter(Boolean);
    const card = this.graph.cards[i];
    if (!bar && !this.graph.level && !card.short && !more.length && !this.progress[i]?.[1]) return this.#hideTip();
    const row = bar && (this.model.get("timeline")?.rows ?? []).find(({ index }) => index === i);
    if (row && row.start > row.ready) more.push(`waited ${humanSeconds(row.start - row.ready)}`);
    this.tip.replaceChildren(
      make("b", { text: node.name }),
      make("span", { text: this.#line(i) }),
      more.length ? make("small", { text: more.join(" · ") }) : "",
    );
    this.tip.hidden = false;
    const room = this.charts.getBoundingClientRect();
    const at = bar ? bar.getBoundingClientRect() : null;
    const box = at
      ? { left: at.left - room.left, top: at.top - room.top, width: at.width, height: at.height }
      : this.stage.seen(node);
    const left = Math.min(Math.max(box.left, 8), room.width - this.tip.offsetWidth - 8);
    const below = box.top + box.height + 10;
    const top = below + this.tip.offsetHeight > room.height ? box.top - this.tip.offsetHeight - 12 : below;
    this.tip.style.transform = `translate(${Math.round(left)}px, ${Math.round(Math.max(top, 4))}px)`;
  }

  #hideTip() {
    this.tip.hidden = true;
    return undefined;
  }

  #stageKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const card = event.target.closest?.(".gf-node"),
      i = card ? Number(card.dataset.i) : this.graph.current;
    const { nodes, direction } = this.graph.data;
    const acts = {
      Enter: () => this.open(i),
      " ": () => this.open(i),
      r: () => this.send("run_to", i),
      R: () => this.send("run_to", i),
      f: () => this.stage.fit(),
      "+": () => this.stage.zoom(1.3),
      "=": () => this.stage.zoom(1.3),
      "-": () => this.stage.zoom(1 / 1.3),
      "/": () => this.search.focus(),
    };
    if (/^Arrow|^Home$|^End$/u.test(event.key))
      acts[event.key] = () =>
        this.graph.cards[walk(nodes, this.graph.near, i, event.key, direction)]?.button.focus({
          preventScroll: true,
        });
    if (!acts[event.key]) return;
    event.preventDefault();
    acts[event.key]();
  }

  #rootKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape") {
      this.#hideTip();
      this.close();
    }
    event.stopPropagation(); // a notebook's own keys, such as D for deleting a cell, are not meant
  }

  #searchKey(event) {
    if (event.key === "Escape" && this.search.value) {
      this.search.value = "";
      this.#filter();
      event.stopPropagation();
    }
    if (event.key !== "Enter") return;
    event.preventDefault();
    const found = [...(matching(this.graph.data.nodes, this.states, this.search.value, this.status.chosen) ?? [])];
    if (!found.length) return;
    this.hit = event.shiftKey ? (this.hit ?? 0) - 1 : (this.hit ?? -1) + 1;
    const i = found.at(((this.hit % found.length) + found.length) % found.length);
    this.stage.reveal(this.graph.data.nodes[i], true);
    this.graph.focusable(i);
    this.#point(i, 0);
  }

  #filter() {
    const found = matching(this.graph.data.nodes, this.states, this.search.value, this.status.chosen);
    const key = found && [...found].join();
    if (key === this.kept) return;
    this.kept = key;
    this.hit = undefined;
    this.graph.keep(found);
    this.timeline.keep(found);
    this.found.textContent = found && this.search.value ? String(found.size) : "";
  }

  // -- how it stands in the page

  #view(name) {
    this.timeline.element.hidden = name !== "Timeline";
    this.stage.element.hidden = name === "Timeline";
    this.#hideTip();
    if (!this.width) return; // not in the page yet
    this.turn.hidden = name === "Timeline";
    if (name === "Timeline") {
      this.#drawTimeline();
      this.#ask();
    }
    this.#arrange();
  }

  /** Ask for the timeline, and while a run goes on ask again each second. */
  #ask() {
    clearTimeout(this.asking);
    if (this.tabs.chosen !== "Timeline" || this.life.over) return;
    this.send("timeline");
    if (this.model.get("run")?.active && !this.lost) this.asking = setTimeout(() => this.#ask(), SECOND);
  }

  #theme() {
    this.root.dataset.theme = isDark(this.root.parentElement ?? this.root) ? "dark" : "light";
  }

  /** Put the pane beside the picture where both have room, else below it. */
  #arrange() {
    const flat = this.tabs.chosen === "Timeline" || isFlat(this.stage.size, this.width);
    this.root.classList.toggle("gf-wide", this.width >= 760 && !flat);
    this.root.classList.toggle("gf-below", this.width >= 760 && flat);
    this.#height();
  }

  /** Be as high as the drawing needs, within reason. The sizes are known before the page is laid out, which saves doing it twice. */
  #height() {
    const { width, height } = this.stage.size;
    const open = this.selected >= 0,
      beside = open && this.root.classList.contains("gf-wide");
    const k = Math.min(1, (this.width - 48) / Math.max(width, 1));
    const needed = this.tabs.chosen === "Timeline" ? this.timeline.height : height * k + 48 + CORNERS;
    if (this.charts.style.height !== (this.given ?? "")) return; // the reader pulled at its corner
    const wanted = Math.round(Math.max(Math.min(Math.max(needed, 200), 560), beside ? 420 : 0));
    this.charts.style.height = this.given = `${wanted}px`;
    if (this.tabs.chosen === "Graph" && (!this.stage.room.width || !open))
      this.stage.resize({ width: this.width, height: wanted });
  }

  #resized(target, { width, height }) {
    if (!width || !height) return; // not in the page now
    if (target === this.charts) {
      if (this.tabs.chosen !== "Graph") return;
      this.stage.resize({ width, height });
      if (this.selected >= 0) this.stage.attend(this.graph.data.nodes[this.selected]);
    } else if (width !== this.width) {
      this.width = width;
      if (this.stage.touched) this.root.classList.toggle("gf-wide", width >= 760);
      else this.#arrange();
    }
  }
}

/** Let only a colour be a colour: the rules that it goes into are text. */
export const safeColour = (text) => (/^#[0-9a-f]{3,8}$/iu.test(text ?? "") ? text : NOT_RUN.color);

/** Scroll to a notebook's cell, and let it flash; false where the front end does not tell its cells. */
function showCell(model, root, id) {
  const cells = model.widget_manager?.context?.model?.cells;
  const notebook = root.closest(".jp-Notebook");
  if (!cells || !notebook) return false;
  const index = [...cells].findIndex((cell) => cell.id === id);
  const shown = [...notebook.querySelectorAll(".jp-Cell")].filter(
    (cell) => cell.parentElement.closest(".jp-Cell") === null,
  );
  const cell =
    shown.find(({ dataset }) => Number(dataset.windowedListIndex) === index) ??
    (shown.length === cells.length ? shown[index] : null);
  if (index < 0 || !cell) return false;
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  cell.scrollIntoView({ block: "center", behavior: calm ? "auto" : "smooth" });
  cell.classList.add("gf-flash");
  setTimeout(() => cell.classList.remove("gf-flash"), 1600);
  return true;
}

export default {
  render({ model, el }) {
    const widget = new Widget(model, el);
    return () => widget.end();
  },
};
