// A trip's timeline as a picture, a lane a step, and the same in words.

import { now } from "./clock.js";
import { h } from "./dom.js";
import { state, table } from "./parts.js";
import { duration, words } from "./words.js";

const FINAL = new Set(["confirmed", "failed", "cancelled"]);
const DRAWN = new Set(["unknown", "held", "confirmed", "booking", "compensating", "needs_attention"]);
const LEAST_MS = 100;
const TICKS = 6;
const OUTCOMES = {
  unanswered: "not answered",
  refused: "refused",
  kept_out: "kept out by the breaker",
  put_off: "put off by the retry budget",
};

/** The picture. It has no meaning that the log below it does not have in words. */
export function timeline(story) {
  const scale = scaleOf(story);
  const lanes = ["trip", ...story.trip.steps.map((step) => step.name)];
  return [
    h("h2", {}, "Timeline"),
    h(
      "div",
      {
        class: "timeline",
        role: "img",
        "aria-label": "Timeline of the trip; the log below says the same in words",
      },
      h("span", { class: "lane-name" }),
      axis(scale),
      lanes.map((name) => [
        h("span", { class: "lane-name", key: `${name}-name` }, name),
        lane(name, story, scale),
      ]),
    ),
    legend(),
  ];
}

function scaleOf({ trip, changes, attempts }) {
  const from = Date.parse(trip.created_at);
  const moments = [
    ...changes.map((change) => change.at),
    ...attempts.map((attempt) => Date.parse(attempt.at) + attempt.took_ms),
  ];
  const last = Math.max(from + LEAST_MS, ...moments);
  const to = from + (FINAL.has(trip.status) ? last - from : Math.max(last, now()) - from) * 1.04;
  const at = (time) => Math.min(100, Math.max(0, (100 * (time - from)) / (to - from)));
  return { from, to, at, ticks: ticks(to - from) };
}

/** At most TICKS round moments (1, 2 or 5 times a power of ten, or whole minutes) within `span` ms. */
function ticks(span) {
  const rough = span / TICKS;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((times) => times * power).find((size) => size >= rough);
  return Array.from({ length: Math.floor(span / step) + 1 }, (_, index) => index * step);
}

function x(percent) {
  return `${percent.toFixed(3)}%`;
}

function axis({ from, at, ticks: marks }) {
  return h(
    "svg",
    { class: "axis", key: "axis" },
    marks.map((ms) =>
      h("text", { key: ms, x: x(at(from + ms)), y: 12 }, ms === 0 ? "0" : tickLabel(ms, marks[1])),
    ),
  );
}

function tickLabel(ms, step) {
  if (step >= 60_000) return `${Math.round(ms / 60_000)} min`;
  return `${(ms / 1000).toFixed(Math.max(0, Math.ceil(-Math.log10(step / 1000))))} s`;
}

function lane(name, story, scale) {
  const tries = story.attempts.filter((attempt) => attempt.step === name);
  return h(
    "svg",
    { class: "lane", key: name },
    hatching(name),
    scale.ticks.map((ms) =>
      h("line", {
        key: ms,
        class: "grid",
        x1: x(scale.at(scale.from + ms)),
        x2: x(scale.at(scale.from + ms)),
        y1: 0,
        y2: "100%",
      }),
    ),
    bars(story.of(name), scale),
    tries.map((attempt, index) => wait(attempt, tries[index + 1], name, scale)),
    tries.map((attempt) => mark(attempt, scale)),
    story
      .of(name)
      .filter((change) => ["released", "failed"].includes(change.status))
      .map((change) => end(change, scale)),
  );
}

function hatching(name) {
  const pattern = {
    id: `hatch-${name}`,
    width: 6,
    height: 6,
    patternUnits: "userSpaceOnUse",
    patternTransform: "rotate(45)",
  };
  return h("defs", {}, h("pattern", pattern, h("line", { class: "hatch", x1: 0, y1: 0, x2: 0, y2: 6 })));
}

function bars(changes, { at, to }) {
  return changes.map(({ at: from, status }, index) => {
    if (!DRAWN.has(status)) return null;
    const until = changes[index + 1]?.at ?? to;
    const size = { x: x(at(from)), y: 5, height: 14, width: x(Math.max(0.3, at(until) - at(from))) };
    return h(
      "rect",
      { key: `bar-${index}`, class: `bar ${status}`, rx: 2, ...size },
      h("title", {}, `${words(status)} for ${duration(until - from)}`),
    );
  });
}

/** Whether the attempt was sent; one that was not has spent its time waiting. */
function wasSent({ outcome }) {
  return outcome === "unanswered" || outcome === "refused";
}

/** The wait after an attempt, or in its place: until the next one was made or is due. */
function wait(attempt, next, name, { at, to }) {
  const over = Date.parse(attempt.at) + attempt.took_ms;
  const from = wasSent(attempt) ? over : Date.parse(attempt.at);
  const follows = next?.verb === attempt.verb ? next.at : attempt.next_at;
  const due = Math.max(over, follows ? Date.parse(follows) : over);
  if (!(due > from)) return null;
  const size = { x: x(at(from)), y: 5, height: 14, width: x(Math.max(0, at(Math.min(due, to)) - at(from))) };
  return h(
    "rect",
    { class: "wait", fill: `url(#hatch-${name})`, ...size },
    h("title", {}, `waits ${duration(due - from)}`),
  );
}

function mark(attempt, { at }) {
  const from = at(Date.parse(attempt.at));
  const to = wasSent(attempt) ? at(Date.parse(attempt.at) + attempt.took_ms) : from;
  return h(
    "rect",
    { class: `mark ${attempt.outcome}`, x: x(from), y: 2, height: 20, width: x(Math.max(0.4, to - from)) },
    h("title", {}, attemptInWords(attempt)),
  );
}

function end({ at: time, status }, { at }) {
  return h(
    "circle",
    { key: `end-${status}`, class: `end ${status}`, cx: x(at(time)), cy: 12, r: 5 },
    h("title", {}, status),
  );
}

function legend() {
  const item = (text, shape) =>
    h("li", {}, h("svg", { class: "swatch", "aria-hidden": "true" }, shape), text);
  const box = (kind) => h("rect", { class: kind, width: 18, height: 12, rx: 2 });
  return h(
    "ul",
    { class: "legend" },
    item("sent", box("bar unknown")),
    item("held", box("bar held")),
    item("confirmed", box("bar confirmed")),
    item("attempt that failed", h("rect", { class: "mark unanswered", x: 6, width: 5, height: 12 })),
    item("wait", [
      hatching("legend"),
      h("rect", { class: "wait", fill: "url(#hatch-legend)", width: 18, height: 12 }),
    ]),
    item("released", h("circle", { class: "end released", cx: 9, cy: 6, r: 5 })),
    item("failed", h("circle", { class: "end failed", cx: 9, cy: 6, r: 5 })),
  );
}

/** An attempt that failed, in words. */
export function attemptInWords({ verb, attempt, outcome, took_ms: took, error, next_at: next, at }) {
  const said = [`${verb}, attempt ${attempt}: ${OUTCOMES[outcome] ?? words(outcome)}`];
  if (took) said.push(`${wasSent({ outcome }) ? "after" : "for"} ${duration(took)}`);
  if (error) said.push(`(${error})`);
  if (next) said.push(`– next in ${duration(Date.parse(next) - Date.parse(at) - took)}`);
  return said.join(" ");
}

/** All of it in words, oldest first. */
export function log(story) {
  const from = Date.parse(story.trip.created_at);
  const rows = [
    ...story.changes.map(({ at, name, status }) => ({
      at,
      name,
      what: status === "unknown" ? state(status, "sent") : state(status),
    })),
    ...story.attempts.map((attempt) => ({
      at: Date.parse(attempt.at),
      name: attempt.step,
      what: attemptInWords(attempt),
    })),
  ].toSorted((a, b) => a.at - b.at);
  const row = ({ at, name, what }) =>
    h(
      "tr",
      {},
      h("td", { class: "number" }, `+${duration(at - from)}`),
      h("td", {}, name),
      h("td", { class: "text" }, what),
    );
  return [
    h("h2", {}, "Log"),
    table("What happened, oldest first", [["After", "number"], "Step", "What"], rows.map(row)),
  ];
}
