// The lab: break a partner and mend it again, to see what the trips make of it.

import { Problem, get, send } from "./api.js";
import { h } from "./dom.js";
import { button, state } from "./parts.js";
import { duration, words } from "./words.js";

const BREAKS = [
  ["Cut off", { down: true }],
  ["Answer 503", { error_rate: 1, status: 503 }],
  ["Slow by 2 s", { latency_ms: 2000 }],
  ["Drop replies", { drop_reply_rate: 1 }],
];
const CALLS = [
  ["all calls", ["PUT", "confirm", "DELETE"]],
  ["holds", ["PUT"]],
  ["confirmations", ["confirm"]],
  ["releases", ["DELETE"]],
];

/** Every partner's faults. */
export function open(context) {
  let partners = [];
  const change = async (method, partner, body, said) => {
    try {
      await send(method, `/lab/${partner}`, body);
      context.say(said);
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      context.say(error.message);
    }
    await context.reload();
  };
  return {
    title: "Lab",
    refresh: async () => {
      partners = (await get("/lab")).items;
    },
    draw: () => [
      h("h1", {}, "Lab"),
      h(
        "p",
        { class: "lead" },
        "Break a partner, then ",
        h("a", { href: "#/book" }, "book a trip"),
        " and watch what becomes of it.",
      ),
      h(
        "ul",
        { class: "cards" },
        partners.map((found) => card(found, change)),
      ),
    ],
  };
}

function card({ partner, faults }, change) {
  const chosen = () => CALLS[document.getElementById(`calls-${partner}`).value][1];
  return h(
    "li",
    { class: "card", key: partner },
    h("h2", {}, partner, " ", health(faults)),
    h("p", { class: "why" }, describe(faults)),
    h(
      "div",
      { class: "actions" },
      h("label", { for: `calls-${partner}` }, "On"),
      h(
        "select",
        { id: `calls-${partner}` },
        CALLS.map(([text], index) => h("option", { value: index }, text)),
      ),
    ),
    h(
      "div",
      { class: "actions" },
      BREAKS.map(([text, broken]) =>
        button(
          text,
          () => change("PUT", partner, { ...broken, verbs: chosen() }, `${partner}: ${text.toLowerCase()}.`),
          { label: `${text}: ${partner}` },
        ),
      ),
      button("Mend", () => change("DELETE", partner, undefined, `${partner} is mended.`), {
        kind: faults && isBroken(faults) ? "primary" : "",
        label: `Mend ${partner}`,
      }),
    ),
  );
}

function health(faults) {
  if (faults === null) return state("silent", "no answer");
  return isBroken(faults) ? state("broken") : state("healthy");
}

function isBroken(faults) {
  const { down, error_rate, latency_ms, drop_reply_rate, repeat_rate, hold_back_ms } = faults;
  return [down, error_rate, latency_ms, drop_reply_rate, repeat_rate, hold_back_ms].some(Boolean);
}

function describe(faults) {
  if (faults === null) return "Its lab does not answer.";
  if (!isBroken(faults)) return "Nothing goes wrong on purpose.";
  const said = [
    faults.down && "every connection is cut",
    faults.error_rate && `${Math.round(faults.error_rate * 100)}% answer ${faults.status}`,
    faults.latency_ms && `slow by ${duration(faults.latency_ms)}`,
    faults.drop_reply_rate && `${Math.round(faults.drop_reply_rate * 100)}% take effect and are cut`,
    faults.repeat_rate && `${Math.round(faults.repeat_rate * 100)}% of the messages are handled twice`,
    faults.hold_back_ms && `messages are held back by up to ${duration(faults.hold_back_ms)}`,
  ].filter(Boolean);
  const calls = CALLS.find(
    ([, verbs]) => verbs.length === faults.verbs.length && verbs.every((verb) => faults.verbs.includes(verb)),
  );
  const count = faults.count ? `, for ${faults.count} more` : "";
  return `${said.join("; ")}; on ${calls ? calls[0] : words(faults.verbs.join(", "))}${count}.`;
}
