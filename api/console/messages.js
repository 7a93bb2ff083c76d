// What was told of a choreographed trip: who told whom, and when.

import { h } from "./dom.js";
import { state, table } from "./parts.js";
import { attemptInWords } from "./timeline.js";
import { duration, money, reason } from "./words.js";

const SAYS = {
  held: ({ reference, amount_minor: amount }, currency) =>
    reference ? [money(amount, currency), " ", h("code", {}, reference)] : "nothing was asked",
  refused: reason,
  captured: ({ reference }) => reference && h("code", {}, reference),
  confirmed: ({ reference }) => reference && h("code", {}, reference),
  tried: ({ attempt }) => attemptInWords(attempt),
};

/** A page of the messages of a trip, in the order in which they were heard. */
export function messages(trip, { items, next_cursor: more }) {
  const from = Date.parse(trip.created_at);
  return [
    h("h2", {}, "Messages"),
    table(
      "Messages of the trip, in the order in which they were heard",
      [["After", "number"], "Told by", "Message", "What it says", "Heard by"],
      items.map((message) => row(message, from, trip.total.currency)),
    ),
    more && h("p", { class: "why" }, `The first ${items.length} are shown.`),
  ];
}

function row({ message_id: id, at, source, body, heard_by: heardBy }, from, currency) {
  const kind = body.type.split(".")[1];
  return h(
    "tr",
    { key: id },
    h("td", { class: "number" }, `+${duration(Date.parse(at) - from)}`),
    h("th", { scope: "row" }, source),
    h("td", {}, state(kind)),
    // A message that this version does not know has nobody who hears it, and may say anything.
    h("td", { class: "text" }, heardBy && SAYS[kind]?.(body.data, currency)),
    h("td", { class: "text" }, heardBy ? heardBy.join(", ") : "–"),
  );
}
