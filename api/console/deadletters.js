// Dead letters: the messages that listeners gave up, and a way to have one heard again.

import { Problem, get, send } from "./api.js";
import { h } from "./dom.js";
import { button, pages } from "./parts.js";
import { age, moment, shortId } from "./words.js";

const PAGE = 25;
const HERE = "#/dead-letters";

/** The list, the oldest first; its page stands in the address. */
export function open({ query, say, reload }) {
  let page = null;
  const replay = async ({ sequence, subject }) => {
    try {
      await send("POST", `/dead-letters/${sequence}/replay`);
      say(`Replayed: ${subject} is heard again by all its listeners.`);
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      say(error.message);
    }
    await reload();
  };
  return {
    title: "Dead letters",
    refresh: async () => {
      page = await get(`/dead-letters?${new URLSearchParams({ ...query, limit: PAGE })}`);
    },
    draw: () => [
      h("h1", {}, "Dead letters"),
      h(
        "p",
        { class: "lead" },
        "Messages that a listener gave up, the oldest first. Once the cause is gone, replay one: all its listeners hear it again, and the letter goes.",
      ),
      page && list(page, replay),
      page && pages(query.cursor && ["Oldest", HERE], page.next_cursor && ["Newer", after(page.next_cursor)]),
    ],
  };
}

function after(cursor) {
  return `${HERE}?${new URLSearchParams({ cursor })}`;
}

function list({ items }, replay) {
  if (items.length === 0) return h("p", { class: "empty" }, "No dead letters here.");
  return h(
    "ul",
    { class: "cards" },
    items.map((letter) => card(letter, replay)),
  );
}

function card(letter, replay) {
  const { sequence, consumer, subject, message_id: id, error, deliveries, died_at: died } = letter;
  const fact = (name, value) => h("div", {}, h("dt", {}, name), h("dd", {}, value));
  return h(
    "li",
    { key: sequence, class: "card" },
    h("h2", {}, trip(letter), h("span", { class: "aside" }, `${age(died)} ago`)),
    h(
      "dl",
      { class: "facts" },
      fact("Consumer", consumer),
      fact("Deliveries", deliveries),
      fact("Given up", moment(died)),
      fact("Message", h("code", {}, subject)),
      fact("Its id", h("code", {}, id)),
    ),
    h("p", { class: "why" }, error),
    h(
      "div",
      { class: "actions" },
      button("Replay", () => replay(letter), {
        label: `Replay letter ${sequence}: ${subject} of ${consumer}`,
      }),
    ),
  );
}

function trip({ trip_id: id }) {
  if (id === null) return "No trip";
  return h("a", { href: `#/trips/${encodeURIComponent(id)}` }, `Trip ${shortId(id)}`);
}
