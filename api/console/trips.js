// The trips as they happen, newest first.

import { get } from "./api.js";
import { h } from "./dom.js";
import { button, pages, state } from "./parts.js";
import { stepNames } from "./schema.js";
import { age, moment, money, shortId, words } from "./words.js";

const PAGE = 25;
const STATUSES = ["booking", "compensating", "needs_attention", "confirmed", "failed", "cancelled"];

/** The list; its filters and its page stand in the address. */
export function open({ query }) {
  let steps = null;
  let page = null;
  return {
    title: "Trips",
    refresh: async () => {
      steps ??= await stepNames();
      page = await get(`/trips?${new URLSearchParams({ ...query, limit: PAGE })}`);
    },
    draw: () => [
      h("h1", {}, "Trips"),
      filters(query),
      page && list(page, steps),
      page && otherPages(query, page),
    ],
  };
}

/** The address of a list, without the filters that are empty. */
function address(query) {
  const used = Object.entries(query).filter(([, value]) => value);
  return `#/trips${used.length ? `?${new URLSearchParams(used)}` : ""}`;
}

function go({ status, email }) {
  location.hash = address({ status, email });
}

function filters({ status = "", email = "" }) {
  const read = (form) => ({ status: form.elements.status.value, email: form.elements.email.value.trim() });
  const submit = (event) => {
    event.preventDefault();
    go(read(event.target));
  };
  return h(
    "form",
    { class: "filters", role: "search", onsubmit: submit },
    h("label", { for: "status" }, "Status"),
    h(
      "select",
      { id: "status", name: "status", initial: status, onchange: (event) => go(read(event.target.form)) },
      h("option", { value: "" }, "any"),
      STATUSES.map((code) => h("option", { value: code }, words(code))),
    ),
    h("label", { for: "email" }, "Traveller’s e-mail"),
    h("input", {
      id: "email",
      name: "email",
      type: "search",
      initial: email,
      autocomplete: "off",
      maxlength: 200,
    }),
    h("button", { type: "submit" }, "Search"),
    (status || email) && button("Show all", () => go({}), { kind: "plain", key: "all" }),
  );
}

function list({ items }, steps) {
  if (items.length === 0)
    return h("p", { class: "empty" }, "No trips here. ", h("a", { href: "#/book" }, "Book one"), ".");
  const headings = ["Trip", "Status", ...steps.map(words), "Total", "Age"];
  return h(
    "table",
    { class: "trips", role: "table" },
    h("caption", { class: "unseen" }, "Trips, newest first"),
    h(
      "thead",
      { role: "rowgroup" },
      h(
        "tr",
        { role: "row" },
        headings.map((text) => h("th", { scope: "col", role: "columnheader" }, text)),
      ),
    ),
    h(
      "tbody",
      { role: "rowgroup" },
      items.map((trip) => row(trip, steps)),
    ),
  );
}

function row(trip, steps) {
  const cell = (kind, props, ...content) => h("td", { class: kind, role: "cell", ...props }, ...content);
  return h(
    "tr",
    { key: trip.trip_id, role: "row" },
    cell(
      "id",
      {},
      h("a", { href: `#/trips/${trip.trip_id}`, title: trip.trip_id }, shortId(trip.trip_id)),
      h("span", { class: "why" }, trip.coordination),
    ),
    cell("status", {}, state(trip.status), trip.failure && h("span", { class: "why" }, cause(trip.failure))),
    steps.map((name) =>
      stepCell(
        cell,
        name,
        trip.steps.find((step) => step.name === name),
      ),
    ),
    cell("total", {}, money(trip.total.amount_minor, trip.total.currency)),
    cell("age", { title: moment(trip.created_at) }, age(trip.created_at)),
  );
}

function stepCell(cell, name, step) {
  const kind = step ? "step" : "step none";
  return cell(
    kind,
    {},
    h("span", { class: "step-name" }, `${name} `),
    step ? state(step.status) : h("span", {}, "–"),
  );
}

function cause({ step, code }) {
  return step ? `${step}: ${words(code)}` : words(code);
}

function otherPages(query, { next_cursor: older }) {
  return pages(
    query.cursor && ["Newest", address({ ...query, cursor: "" })],
    older && ["Older", address({ ...query, cursor: older })],
  );
}
