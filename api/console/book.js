// Book a trip: the order as a form, filled in with an example.

import { Problem, send } from "./api.js";
import { now } from "./clock.js";
import { h } from "./dom.js";
import { problemBox } from "./parts.js";

const DAY_MS = 86_400_000;
const AHEAD_DAYS = 90;
const CARDS = [
  ["tok_visa", "tok_visa (approves)"],
  ["tok_declined", "tok_declined (is declined)"],
  ["tok_slow", "tok_slow (approves after 3 s)"],
];
const WHEN_DOWN = [
  ["fail", "fail at once"],
  ["wait", "wait until the deadline"],
];

function day(ahead) {
  return new Date(now() + ahead * DAY_MS).toISOString().slice(0, 10);
}

/** The parts of an order: each field's name in the API, label, kind of input, and what it starts with. */
function parts() {
  const [first, second, last] = [day(AHEAD_DAYS), day(AHEAD_DAYS + 1), day(AHEAD_DAYS + 3)];
  return [
    {
      name: "traveller",
      title: "Traveller",
      fields: [
        ["name", "Name", "text", "Ada Lovelace"],
        ["email", "E-mail", "text", "ada@example.com"],
        ["member_id", "Member", "text", "M-1001"],
      ],
    },
    {
      name: "hotel",
      title: "Hotel",
      optional: true,
      fields: [
        ["hotel_id", "Hotel", "text", "KYO-RYOKAN"],
        ["check_in", "Check-in", "date", first],
        ["check_out", "Check-out", "date", last],
        ["rooms", "Rooms", "number", 1],
      ],
    },
    {
      name: "tour",
      title: "Tour",
      optional: true,
      fields: [
        ["tour_id", "Tour", "text", "KYOTO-WALK"],
        ["date", "Date", "date", second],
        ["seats", "Seats", "number", 2],
      ],
    },
    {
      name: "flight",
      title: "Flight",
      optional: true,
      fields: [
        ["flight_no", "Flight", "text", "NH847"],
        ["date", "Date", "date", first],
        ["seats", "Seats", "number", 2],
      ],
    },
    { name: "points", title: "Points", optional: true, fields: [["redeem", "Redeem", "number", 5000]] },
    {
      name: "payment",
      title: "Payment",
      fields: [
        ["card_token", "Card", CARDS, "tok_visa"],
        ["currency", "Currency", "text", "JPY"],
      ],
    },
    {
      name: "",
      title: "If a partner is down",
      fields: [
        ["when_partner_down", "Then", WHEN_DOWN, "fail"],
        ["deadline_s", "Deadline (s)", "number", 300],
      ],
    },
  ];
}

function newKey() {
  return [...crypto.getRandomValues(new Uint8Array(16))]
    .map((byte) => byte.toString(16).padStart(2, "0"))
    .join("");
}

/** The form. Pressed twice, or again after an answer that was lost, it books once. */
export function open(context) {
  const form = parts();
  const booking = { problem: null, busy: false, key: newKey(), sent: "" };

  async function submit(event) {
    event.preventDefault();
    const order = read(event.target, form);
    const body = JSON.stringify(order);
    if (body !== booking.sent) Object.assign(booking, { sent: body, key: newKey() });
    Object.assign(booking, { problem: null, busy: true });
    context.redraw();
    try {
      const trip = await send("POST", "/trips", order, { "Idempotency-Key": booking.key });
      location.hash = `#/trips/${trip.trip_id}`;
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      booking.problem = error;
    } finally {
      booking.busy = false;
      context.redraw();
      document.querySelector("[aria-invalid]")?.focus();
    }
  }

  return {
    title: "Book a trip",
    draw: () => [
      h("h1", {}, "Book a trip"),
      h(
        "form",
        { class: "book", onsubmit: submit, novalidate: true },
        form.map((part) => fieldset(part, booking.problem)),
        problemBox(booking.problem),
        h(
          "div",
          { class: "actions" },
          h("button", { type: "submit", class: "primary", disabled: booking.busy }, "Book"),
        ),
      ),
    ],
  };
}

function fieldset(part, problem) {
  return h(
    "fieldset",
    { key: part.name },
    h("legend", {}, part.optional ? included(part) : part.title),
    part.fields.map((field) => input(part, field, problem)),
  );
}

function included({ name, title }) {
  return h("label", {}, h("input", { type: "checkbox", name, initial: true }), ` ${title}`);
}

function path(part, name) {
  return part.name ? `${part.name}.${name}` : name;
}

function input(part, [name, label, kind, initial], problem) {
  const id = path(part, name);
  const error = problem?.errors.find(
    (found) => found.field === id || (found.field === part.name && name === part.fields[0][0]),
  );
  const props = {
    id,
    name: id,
    initial: String(initial),
    "aria-invalid": error && "true",
    "aria-describedby": error && `${id}-error`,
  };
  return h(
    "div",
    { class: "field" },
    h("label", { for: id }, label),
    Array.isArray(kind)
      ? h(
          "select",
          props,
          kind.map(([value, text]) => h("option", { value }, text)),
        )
      : h("input", { type: kind, ...props, autocomplete: "off" }),
    error && h("p", { class: "field-error", id: `${id}-error` }, error.message),
  );
}

/** The order as the form says it; a part that is not ticked, and a field that is empty, are left out. */
function read({ elements }, form) {
  const order = {};
  for (const part of form) {
    if (part.optional && !elements[part.name].checked) continue;
    const into = part.name ? (order[part.name] = {}) : order;
    for (const [name, , kind] of part.fields) {
      const { value } = elements[path(part, name)];
      if (value !== "") into[name] = kind === "number" ? Number(value) : value;
    }
  }
  return order;
}
