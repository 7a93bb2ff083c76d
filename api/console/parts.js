// Pieces of the page that several views draw.

import { h } from "./dom.js";
import { words } from "./words.js";

// A state's sign, drawn in a box of 12 by 12; its word always stands beside it.
const RING = "M6 1.5a4.5 4.5 0 1 0 0 9a4.5 4.5 0 1 0 0-9";
const SIGNS = {
  ring: RING,
  half: `${RING} M6 3v6 M4 3.8v4.4 M5 3.2v5.6`,
  tick: "M2 6.5 5 9.5 10 3",
  cross: "M2.5 2.5 9.5 9.5 M9.5 2.5 2.5 9.5",
  back: "M10 9.5V7.5a2.5 2.5 0 0 0-2.5-2.5H2.5 M5 2.2 2.2 5 5 7.8",
  sent: "M1.5 6h8 M6.5 3 9.5 6 6.5 9",
  alarm: "M6 1.5v5.5 M6 10v.2",
  bar: "M2 6h8",
};
const STATES = {
  pending: ["ring", "quiet"],
  unknown: ["sent", "busy"],
  held: ["half", "busy"],
  confirmed: ["tick", "good"],
  released: ["back", "quiet"],
  failed: ["cross", "bad"],
  booking: ["half", "busy"],
  compensating: ["back", "warn"],
  cancelled: ["bar", "quiet"],
  needs_attention: ["alarm", "bad"],
  closed: ["tick", "good"],
  half_open: ["half", "warn"],
  open: ["cross", "bad"],
  healthy: ["tick", "good"],
  broken: ["cross", "bad"],
  silent: ["alarm", "warn"],
  requested: ["sent", "busy"],
  refused: ["cross", "bad"],
  lapsed: ["cross", "warn"],
  bought: ["tick", "busy"],
  captured: ["tick", "good"],
  withdrawn: ["back", "warn"],
  tried: ["alarm", "warn"],
};

/** A state by sign, colour and word. */
export function state(code, text = words(code)) {
  const [sign, tone] = STATES[code] ?? ["ring", "quiet"];
  return h(
    "span",
    { class: `state ${tone}` },
    h("svg", { viewBox: "0 0 12 12", class: "sign", "aria-hidden": "true" }, h("path", { d: SIGNS[sign] })),
    h("span", {}, text),
  );
}

/** A button; `busy` keeps it from being pressed again while the call that it made is under way. */
export function button(text, onclick, { kind = "", busy = false, autofocus = false, label, key } = {}) {
  return h(
    "button",
    { type: "button", class: kind, onclick, disabled: busy, autofocus, "aria-label": label, key },
    text,
  );
}

/** What the API refused, and each field's own remedy where it names any. */
export function problemBox(problem, fields = problem?.errors ?? []) {
  if (!problem) return null;
  return h(
    "div",
    { class: "problem", role: "alert" },
    h("p", {}, problem.message),
    fields.length > 1 &&
      h(
        "ul",
        {},
        fields.map((error) => h("li", {}, `${error.field}: ${error.message}`)),
      ),
  );
}

/** A table that scrolls sideways by itself where the window is narrow. A heading is a text, or [text, class]. */
export function table(caption, headings, rows) {
  return h(
    "div",
    { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
    h(
      "table",
      {},
      h("caption", { class: "unseen" }, caption),
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          headings
            .map((heading) => [heading].flat())
            .map(([text, kind]) => h("th", { scope: "col", class: kind }, text)),
        ),
      ),
      h("tbody", {}, rows),
    ),
  );
}

/** The ways to a list's other pages, each `[text, address]`; a page that is not there is left out. */
export function pages(...ways) {
  return h(
    "nav",
    { class: "pages", "aria-label": "Pages" },
    ways.filter(Boolean).map(([text, href]) => h("a", { href, key: text }, text)),
  );
}
