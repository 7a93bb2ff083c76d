// Trips with a step that does not get through.

import { get } from "./api.js";
import { h } from "./dom.js";
import { state } from "./parts.js";
import { isStuck, pendingCall, stuckActions } from "./stuck.js";
import { age, reason, shortId } from "./words.js";

const PAGE = 50;

/** The list of trips that need attention. */
export function open({ say, reload, me }) {
  let page = null;
  return {
    title: "Needs attention",
    refresh: async () => {
      page = await get(`/trips?status=needs_attention&limit=${PAGE}`);
    },
    draw: () => [
      h("h1", {}, "Needs attention"),
      h(
        "p",
        { class: "lead" },
        "Confirmations and releases that do not get through. Each is tried again by itself until it does.",
      ),
      page && list(page, { say, reload, me }),
    ],
  };
}

function list({ items, next_cursor: more }, context) {
  if (items.length === 0) return h("p", { class: "empty" }, "Nothing needs attention.");
  return [
    h(
      "ul",
      { class: "cards" },
      items.map((trip) => card(trip, context)),
    ),
    more &&
      h(
        "p",
        {},
        `The newest ${PAGE} are shown; `,
        h("a", { href: "#/trips?status=needs_attention" }, "see all"),
        ".",
      ),
  ];
}

function card(trip, context) {
  return h(
    "li",
    { key: trip.trip_id, class: "card" },
    h(
      "h2",
      {},
      h("a", { href: `#/trips/${trip.trip_id}` }, `Trip ${shortId(trip.trip_id)}`),
      h("span", { class: "aside" }, `${age(trip.created_at)} old`),
    ),
    trip.steps.filter((step) => isStuck(trip, step)).map((step) => stuckStep(trip, step, context)),
  );
}

function stuckStep(trip, step, context) {
  const call = pendingCall(step);
  return h(
    "div",
    { key: step.name, class: "stuck" },
    h(
      "p",
      {},
      h("strong", {}, step.name),
      " ",
      state(step.status),
      ` ${call} failed after ${step[call].attempts} attempts`,
    ),
    h("p", { class: "why" }, reason(step[call].error)),
    context.me.scopes.includes("operator") && stuckActions(trip, step, context),
  );
}
