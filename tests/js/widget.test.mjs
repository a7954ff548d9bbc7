// The widget's logic, which needs no browser. Run: node --test tests/js/*.test.mjs
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

// The module has no package.json beside it that would say it is one, so it is imported by its text.
const source = readFileSync(new URL("../../graflow_nb/notebook/static/widget.js", import.meta.url));
const widget = await import(`data:text/javascript;base64,${source.toString("base64")}`);

const box = (x, y, name = "") => ({ name, x, y, w: 100, h: 40, kind: "task" });
// load feeds clean and split; both feed join. x grows along the edges.
const NODES = [box(0, 50, "load"), box(200, 0, "clean"), box(200, 100, "split"), box(400, 50, "join")];
const EDGES = [
  { a: 0, b: 1 },
  { a: 0, b: 2 },
  { a: 1, b: 3 },
  { a: 2, b: 3 },
];
const NEAR = widget.neighbours(4, EDGES);

test("bytes come from every kind of value that a front end gives", () => {
  const bytes = Uint8Array.of(9, 1, 2, 3);
  assert.deepEqual([...widget.bytesOf(new DataView(bytes.buffer, 1))], [1, 2, 3]);
  assert.deepEqual([...widget.bytesOf(bytes.buffer)], [9, 1, 2, 3]);
  assert.deepEqual([...widget.bytesOf(undefined)], []);
});

test("a node's byte holds a status and four marks", () => {
  assert.deepEqual(widget.decodeState(0b1010_0011), {
    status: 3,
    cached: false,
    stale: true,
    warned: false,
    printed: true,
  });
  assert.deepEqual(widget.decodeState(0b0101_1001), {
    status: 9,
    cached: true,
    stale: false,
    warned: true,
    printed: false,
  });
});

test("times are little-endian and need no alignment", () => {
  const bytes = new DataView(new ArrayBuffer(9));
  bytes.setFloat32(1, 1.5, true);
  bytes.setFloat32(5, NaN, true);
  const times = widget.decodeTimes(new DataView(bytes.buffer, 1));
  assert.equal(times.length, 2);
  assert.equal(times[0], 1.5);
  assert.ok(Number.isNaN(times[1]));
});

test("only what differs is touched", () => {
  assert.deepEqual(widget.changes([1, 2, 3], [1, 5, 3, 4]), [1, 3]);
  assert.deepEqual(widget.changes([NaN, 1], [NaN, NaN]), [1]);
});

test("durations read as in the other views", () => {
  const cases = [
    [0.012, "12 ms"],
    [0, "0 ms"],
    [1e-5, "<1 ms"],
    [1.24, "1.2 s"],
    [59.97, "1 min 0 s"],
    [123, "2 min 3 s"],
    [7260, "2 h 1 min"],
  ];
  for (const [seconds, text] of cases) assert.equal(widget.humanSeconds(seconds), text);
  assert.equal(widget.ticking(0.04), "0.0 s");
  assert.equal(widget.ticking(-0.2), "0.0 s");
  assert.equal(widget.ticking(75), "1 min 15 s");
});

test("a name that is too long loses its middle", () => {
  assert.equal(widget.shorten("train_gradient_boosting_v2", 14), "train_g…ing_v2");
  assert.equal(widget.shorten("load\n  all", 20), "load all");
  assert.ok(widget.columns(widget.shorten("読む読む読む読む", 7)) <= 7);
  assert.equal(widget.columns("読む"), 4);
  assert.equal(widget.columns("e\u0301"), 1);
});

test("a graph may leave out what is as usual", () => {
  const graph = {
    w: 100,
    h: 40,
    nodes: [
      { name: "a", x: 0, y: 0 },
      { name: "b", x: 200, y: 100, w: 50, kind: "param" },
    ],
    edges: [
      { a: 0, b: 1 },
      { a: 0, b: 9 },
    ],
  };
  const { nodes, edges, direction, groups } = widget.completed(graph);
  assert.deepEqual(nodes, [
    { kind: "task", w: 100, h: 40, name: "a", x: 0, y: 0 },
    { kind: "param", w: 50, h: 40, name: "b", x: 200, y: 100 },
  ]);
  assert.deepEqual(edges, [
    {
      kind: "plain",
      points: [
        [100, 20],
        [200, 120],
      ],
      a: 0,
      b: 1,
    },
  ]);
  assert.deepEqual([direction, groups], ["LR", []]);
  assert.deepEqual(widget.completed({ ...graph, direction: "TB" }).edges[0].points, [
    [50, 40],
    [225, 100],
  ]);
  assert.deepEqual(widget.completed(undefined).nodes, []);
});

test("a graph comes as one text", () => {
  const text = JSON.stringify({
    flow: "f",
    direction: "TB",
    names: ["a", "b", "c"],
    at: [0, 5, 9, 5, 18, 5],
    ends: [0, 1, 1, 2],
    labels: { 1: "bee" },
    params: [2],
    kinds: { 0: "dynamic" },
    bends: { 1: [1, 2, 3, 4] },
  });
  assert.deepEqual(widget.unpacked(text), {
    flow: "f",
    direction: "TB",
    nodes: [
      { name: "a", x: 0, y: 5 },
      { name: "b", x: 9, y: 5, label: "bee" },
      { name: "c", x: 18, y: 5, kind: "param" },
    ],
    edges: [
      { a: 0, b: 1, kind: "dynamic" },
      {
        a: 1,
        b: 2,
        points: [
          [1, 2],
          [3, 4],
        ],
      },
    ],
  });
  assert.deepEqual(widget.unpacked(""), {});
});

test("neighbours know both sides, and an edge to nowhere is left out", () => {
  assert.deepEqual(NEAR.after, [[1, 2], [3], [3], []]);
  assert.deepEqual(NEAR.before, [[], [0], [0], [1, 2]]);
  assert.deepEqual(widget.neighbours(1, [{ a: 0, b: 7 }]), { before: [[]], after: [[]] });
});

test("the closure is all that can be reached", () => {
  assert.deepEqual([...widget.closure(NEAR.after, 0)].sort(), [1, 2, 3]);
  assert.deepEqual([...widget.closure(NEAR.before, 3)].sort(), [0, 1, 2]);
  assert.equal(widget.closure(NEAR.after, 3).size, 0);
});

test("arrows walk along edges and across a layer", () => {
  const walk = (from, key) => widget.walk(NODES, NEAR, from, key, "LR");
  assert.equal(walk(1, "ArrowRight"), 3);
  assert.equal(walk(3, "ArrowLeft"), 1);
  assert.equal(walk(1, "ArrowDown"), 2);
  assert.equal(walk(2, "ArrowUp"), 1);
  assert.equal(walk(3, "ArrowRight"), 3);
  assert.equal(walk(2, "Home"), 0);
  assert.equal(walk(0, "End"), 3);
  assert.equal(widget.walk([], NEAR, 0, "ArrowUp", "LR"), -1);
});

test("arrows turn with the drawing", () => {
  const turned = NODES.map(({ x, y, ...rest }) => ({ ...rest, x: y * 3, y: x }));
  const walk = (from, key) => widget.walk(turned, NEAR, from, key, "TB");
  assert.equal(walk(1, "ArrowDown"), 3);
  assert.equal(walk(3, "ArrowUp"), 1);
  assert.equal(walk(1, "ArrowRight"), 2);
});

test("a search takes every word, a filter every chosen status, and nothing chosen is no filter", () => {
  const find = (text, ...statuses) => widget.matching(NODES, [4, 4, 6, 0], text, new Set(statuses));
  assert.equal(find(""), null);
  assert.deepEqual([...find("  L ")], [0, 1, 2]);
  assert.deepEqual([...find("LO ad")], [0]);
  assert.deepEqual([...find("l", 6)], [2]);
  assert.deepEqual([...find("", 4, 0)], [0, 1, 3]);
  assert.deepEqual([...find("<img")], []);
});

test("the tally counts tasks, in the order of the table, whatever their marks", () => {
  const nodes = [...NODES, { ...box(0, 0), kind: "param" }];
  assert.deepEqual(widget.tally(nodes, [5 | 16, 4 | 128, 4, 0, 0]), [
    [0, 1],
    [4, 2],
    [5, 1],
  ]);
});

test("the clock follows the kernel's, except for a view that is opened late", () => {
  const run = { active: true, began: 1000, elapsed: 2 };
  assert.equal(widget.beganAt(run, 50_000, 1_007_000, true), 48_000);
  assert.equal(widget.beganAt(run, 50_000, 1_007_000, false), 43_000);
  assert.equal(widget.beganAt(run, 50_000, 900_000, false), 48_000, "a clock that is behind is not believed");
  assert.equal(widget.beganAt({}, 50_000, 0, false), 50_000);
});

test("the second line gives up what has no room, but never the status", () => {
  const running = { name: "running", word: "running" };
  const times = { elapsed: 3.21, took: NaN, note: "epoch 4" };
  assert.equal(widget.stateLine(running, times, 40), "running · 3.2 s · epoch 4");
  assert.equal(widget.stateLine(running, times, 18), "running · 3.2 s");
  assert.equal(widget.stateLine(running, times, 8), "running");
  assert.equal(
    widget.stateLine({ name: "retrying", word: "retrying" }, { ...times, note: "2/3" }, 22),
    "retrying 2/3 · 3.2 s",
  );
  assert.equal(
    widget.stateLine({ name: "succeeded", word: "succeeded" }, { elapsed: 9, took: 0.25, note: "" }, 22),
    "succeeded · 250 ms",
  );
});

test("edges are straight where they can be", () => {
  assert.equal(
    widget.curve(
      [
        [0, 5],
        [10, 5],
      ],
      "LR",
    ),
    "M0 5L10 5",
  );
  assert.equal(
    widget.curve(
      [
        [0, 0],
        [10, 20],
      ],
      "LR",
    ),
    "M0 0C5 0 5 20 10 20",
  );
  assert.equal(
    widget.curve(
      [
        [0, 0],
        [10, 20],
      ],
      "TB",
    ),
    "M0 0C0 10 10 10 10 20",
  );
});

test("fit shows all of it in the middle, and no larger than life", () => {
  const at = widget.fitted(1952, 100, { width: 1000, height: 400 });
  assert.equal(Math.round(at.k * 1000), 488);
  assert.equal(Math.round(at.x), 24);
  assert.deepEqual(widget.fitted(100, 100, { width: 1000, height: 400 }), { k: 1, x: 450, y: 150 });
});

test("a box is put in the middle, unless that would leave room empty", () => {
  const size = { width: 1000, height: 50 },
    room = { width: 400, height: 300 };
  const x = (left) => widget.centred({ x: left, y: 0, w: 100, h: 50 }, 1, size, room).x;
  assert.equal(x(450), -300);
  assert.equal(x(0), 40);
  assert.equal(x(900), -640);
  assert.equal(widget.centred({ x: 0, y: 0, w: 100, h: 50 }, 1, size, room).y, 125);
});

test("zoom keeps the point under the pointer, within limits", () => {
  const at = widget.zoomed({ k: 1, x: 10, y: 20 }, 2, [110, 70]);
  assert.deepEqual(at, { k: 2, x: -90, y: -30 });
  assert.equal(widget.zoomed(at, 1e9, [0, 0]).k, 3);
});

test("a card shows less the further it is", () => {
  assert.deepEqual([1, 0.5, 0.3, 0.2, 0.1].map(widget.detail), [0, 1, 2, 3, 4]);
});

const ROWS = [
  { index: 2, worker: "worker 10", ready: 0, start: 4, end: 6 },
  { index: 1, worker: "worker 2", ready: 1, start: 3, end: 4 },
  { index: 0, worker: "worker 2", ready: 0, start: 0, end: 3 },
  { index: 3, worker: null, ready: 5, start: null, end: null },
];

test("lanes are sorted as people count, and bars by time", () => {
  assert.deepEqual(
    widget.lanes(ROWS).map(({ worker, bars }) => [worker, bars.map(({ index }) => index)]),
    [
      ["worker 2", [0, 1]],
      ["worker 10", [2]],
    ],
  );
});

test("the queue holds what was ready and had no worker", () => {
  assert.deepEqual(widget.queue(ROWS, 8), [
    [0, 1],
    [1, 2],
    [3, 1],
    [4, 0],
    [5, 1],
    [8, 0],
  ]);
});

test("a bar's name stands in it, or beside it, or is left to the bar", () => {
  const bars = [
    { start: 0, end: 1 }, // 100 px, and nothing after it
    { start: 1, end: 1.1 },
    { start: 3, end: 3.1 },
    { start: 3.2, end: 4 }, // 80 px
    { start: 4, end: undefined }, // runs, to the end
  ];
  const texts = bars.map((_, i) => [`name${i}`, "1.0 s"]);
  assert.deepEqual(
    widget.labels(bars, 6, 600, texts).map(({ name, time, beside }) => [name, time, beside]),
    [
      ["name0", "1.0 s", false],
      ["name1", "1.0 s", true],
      ["name2", "", false],
      ["name3", "", false],
      ["name4", "1.0 s", false],
    ],
  );
});

test("what the counts say is not said again at the end of a run", () => {
  const run = { active: false, elapsed: 1.83, failed: 0, total: 7, line: "7 succeeded in 1.8 s" };
  assert.equal(widget.briefly(run), "took 1.8 s");
  assert.equal(widget.briefly({ ...run, failed: 1 }), "failed after 1.8 s");
  assert.equal(widget.briefly({ ...run, active: true, line: "3 running" }), "3 running");
  assert.equal(widget.briefly({ active: false, total: 1 }), "1 task");
  assert.equal(widget.briefly({ active: false, line: "The kernel is gone." }), "The kernel is gone.");
});

test("a flat drawing keeps its width when a task is opened", () => {
  assert.ok(widget.isFlat({ width: 1000, height: 180 }, 960));
  assert.ok(!widget.isFlat({ width: 380, height: 180 }, 960), "it is readable beside the pane");
  assert.ok(!widget.isFlat({ width: 1000, height: 800 }, 960), "both could not be seen at once");
  assert.ok(!widget.isFlat({ width: 9000, height: 800 }, 960), "it is not readable anyway");
});

test("an axis has round numbers, of clocks above a minute", () => {
  assert.deepEqual(widget.ticks(4.2, 5), [0, 1, 2, 3, 4]);
  assert.deepEqual(widget.ticks(0.1, 4), [0, 0.05, 0.1]);
  assert.deepEqual(widget.ticks(290, 5), [0, 60, 120, 180, 240]);
  assert.deepEqual(widget.ticks(0, 5), [0]);
  assert.deepEqual([0, 0.5, 15, 120].map(widget.tickText), ["0 s", "500 ms", "15 s", "2 min"]);
});

test("the critical path is said in words", () => {
  const name = (i) => ["a", "b", "c"][i];
  assert.equal(widget.criticalLine([0, 1, 2], ROWS, name), "6.0 s in a → b → c");
  assert.equal(widget.criticalLine([], ROWS, name), "");
});

test("a control's value has its parameter's type", () => {
  assert.equal(widget.paramValue("integer", "3.6"), 4);
  assert.equal(widget.paramValue("number", "0.5"), 0.5);
  assert.equal(widget.paramValue("number", ""), undefined);
  assert.equal(widget.paramValue("number", "x"), undefined);
  assert.equal(widget.paramValue("text", "7"), "7");
  assert.equal(widget.paramValue("flag", true), true);
});

test("a slider has steps that suit its range", () => {
  assert.equal(widget.paramStep({ kind: "number", min: 0, max: 1 }), 0.01);
  assert.equal(widget.paramStep({ kind: "integer", min: 0, max: 500 }), 1);
  assert.equal(widget.paramStep({ kind: "number", min: 0, max: 1, step: 0.25 }), 0.25);
  assert.equal(widget.paramStep({ kind: "number" }), "any");
});

test("only a colour is a colour", () => {
  assert.equal(widget.safeColour("#1d4ed8"), "#1d4ed8");
  assert.equal(widget.safeColour("red}body{display:none"), "#6b7280");
  assert.equal(widget.safeColour(undefined), "#6b7280");
});
