// What an order is made of, as the API's own document (OpenAPI) describes it.

import { get } from "./api.js";
import { now } from "./clock.js";

const DAY_MS = 86_400_000;
const AHEAD_DAYS = 90;

let known = null;

async function described() {
  known ??= await get("/openapi.json");
  return known;
}

/** The names of a trip's steps, in their order. */
export async function stepNames() {
  const document = await described();
  return document.components.schemas.Partner.enum;
}

/**
 * The parts of an order as `{ name, title, optional, fields }`. A field is `{ name, title, kind, choices,
 * initial }`: `kind` is an input's type or `select`, whose choice "" says nothing. The last part, without a name, is the order's own fields.
 */
export async function orderParts() {
  const document = await described();
  const order = document.components.schemas.TripOrder;
  const body = document.paths["/trips"].post.requestBody.content["application/json"];
  const [{ value: example }] = Object.values(body.examples);
  const parts = [];
  const rest = { name: "", title: "Terms", optional: false, fields: [] };
  const later = daysToMove(example);
  for (const [name, schema] of Object.entries(order.properties)) {
    const shape = resolved(document, schema);
    if (shape.type === "object") {
      const optional = !order.required.includes(name);
      const own = Object.entries(shape.properties).map(([inner, value]) =>
        field(inner, resolved(document, value), example[name]?.[inner], later),
      );
      parts.push({ name, title: name[0].toUpperCase() + name.slice(1), optional, fields: own });
    } else {
      rest.fields.push(field(name, shape, example[name], later));
    }
  }
  return [...parts, rest];
}

/** The schema itself: what a reference stands for, and of a value or null the value's. */
function resolved(document, schema) {
  const shape = schema.anyOf?.find(({ type }) => type !== "null") ?? schema;
  if (!shape.$ref) return { ...shape, title: schema.title ?? shape.title, nullable: shape !== schema };
  return document.components.schemas[shape.$ref.split("/").at(-1)];
}

function field(name, shape, example, later) {
  const { title, type, format, enum: values, nullable, examples, default: usual } = shape;
  const kind = values ? "select" : format === "date" ? "date" : type === "integer" ? "number" : "text";
  const initial = example ?? usual ?? "";
  return {
    name,
    title,
    kind,
    choices: (nullable && values ? ["", ...values] : values) ?? examples ?? [],
    initial: kind === "date" ? moved(initial, later) : initial,
  };
}

/** How far to move the example's days, so that the first is ahead however old the document is. */
function daysToMove(example) {
  const days = JSON.stringify(example).match(/\d{4}-\d{2}-\d{2}/g) ?? [];
  return Math.round((now() - Math.min(...days.map((day) => Date.parse(day)))) / DAY_MS) + AHEAD_DAYS;
}

function moved(day, by) {
  return day && new Date(Date.parse(day) + by * DAY_MS).toISOString().slice(0, 10);
}
