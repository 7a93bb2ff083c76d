// Book a trip: the order as a form, filled in with an example.

import { Problem, send } from "./api.js";
import { h } from "./dom.js";
import { problemBox } from "./parts.js";
import { orderParts } from "./schema.js";
import { words } from "./words.js";

function newKey() {
  return [...crypto.getRandomValues(new Uint8Array(16))]
    .map((byte) => byte.toString(16).padStart(2, "0"))
    .join("");
}

/** The form. Pressed twice, or again after an answer that was lost, it books once. */
export function open(context) {
  let form = null;
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
    refresh: async () => {
      form ??= await orderParts();
    },
    draw: () => [h("h1", {}, "Book a trip"), form && drawn(form, booking, submit)],
  };
}

function drawn(form, booking, submit) {
  return h(
    "form",
    { class: "book", onsubmit: submit, novalidate: true },
    form.map((part) => fieldset(part, booking.problem)),
    problemBox(booking.problem),
    h(
      "div",
      { class: "actions" },
      h("button", { type: "submit", class: "primary", disabled: booking.busy }, "Book"),
    ),
  );
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

function input(part, { name, title, kind, choices, initial }, problem) {
  const id = path(part, name);
  const error = problem?.errors.find(
    (found) => found.field === id || (found.field === part.name && name === part.fields[0].name),
  );
  const props = {
    id,
    name: id,
    initial: String(initial),
    "aria-invalid": error && "true",
    "aria-describedby": error && `${id}-error`,
  };
  const suggested = kind !== "select" && choices.length > 0;
  const control =
    kind === "select"
      ? h(
          "select",
          props,
          choices.map((value) => h("option", { value }, words(value || "default"))),
        )
      : h("input", { type: kind, ...props, list: suggested && `${id}-choices`, autocomplete: "off" });
  return h(
    "div",
    { class: "field" },
    h("label", { for: id }, title),
    control,
    suggested &&
      h(
        "datalist",
        { id: `${id}-choices` },
        choices.map((value) => h("option", { value })),
      ),
    error && h("p", { class: "field-error", id: `${id}-error` }, error.message),
  );
}

/** The order as the form says it; a part that is not ticked, and a field that is empty, are left out. */
function read({ elements }, form) {
  const order = {};
  for (const part of form) {
    if (part.optional && !elements[part.name].checked) continue;
    const into = part.name ? (order[part.name] = {}) : order;
    for (const { name, kind } of part.fields) {
      const { value } = elements[path(part, name)];
      if (value !== "") into[name] = kind === "number" ? Number(value) : value;
    }
  }
  return order;
}
