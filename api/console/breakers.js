// The breakers: how they stand, and an operator's word over them.

import { get, send } from "./api.js";
import { ask } from "./dialog.js";
import { h } from "./dom.js";
import { button, state, table } from "./parts.js";
import { countdown, moment, words } from "./words.js";

const LOG_LENGTH = 20;
const OVERRIDES = [
  [
    "open",
    "Hold open…",
    "No call is let in until you lift this. Trips that need this partner fail at once or wait.",
  ],
  ["closed", "Hold closed…", "Every call is let in, whatever comes of it, until you lift this."],
  [null, "Lift…", "The breaker decides by itself again."],
];

/** All breakers; the log of changes is asked for where it is unfolded. */
export function open(context) {
  let breakers = [];
  const logs = new Map(); // partner -> its changes, for those unfolded
  const readLog = async (partner) =>
    logs.set(partner, (await get(`/breakers/${partner}/events?limit=${LOG_LENGTH}`)).items);
  const unfold = (partner) => async (event) => {
    if (!event.target.open) return logs.delete(partner);
    await readLog(partner);
    return context.redraw();
  };
  return {
    title: "Breakers",
    refresh: async () => {
      const before = new Map(breakers.map((breaker) => [breaker.partner, breaker.state]));
      breakers = (await get("/breakers")).items;
      await Promise.all([...logs.keys()].map(readLog));
      for (const { partner, state: code } of breakers) {
        if (before.has(partner) && before.get(partner) !== code)
          context.say(`The breaker of ${partner} is ${words(code)}.`);
      }
    },
    draw: () => [
      h("h1", {}, "Breakers"),
      h(
        "ul",
        { class: "cards" },
        breakers.map((breaker) => card(breaker, logs.get(breaker.partner), unfold(breaker.partner), context)),
      ),
    ],
  };
}

function card(breaker, changes, unfold, context) {
  return h(
    "li",
    { class: "card", key: breaker.partner },
    h("h2", {}, breaker.partner, " ", standing(breaker)),
    facts(breaker),
    breaker.last_error && h("p", { class: "why" }, `Last error: ${breaker.last_error}`),
    h(
      "div",
      { class: "actions" },
      OVERRIDES.filter(([override]) => override !== breaker.override).map(([override, text, meaning]) =>
        button(text, () => overrule(breaker.partner, override, meaning, context), {
          key: text,
          label: `${text.slice(0, -1)} the breaker of ${breaker.partner}`,
        }),
      ),
    ),
    h(
      "details",
      { ontoggle: unfold },
      h("summary", {}, "Changes"),
      changes && history(breaker.partner, changes),
    ),
  );
}

/** What calls meet: the state that it is held in, or its own. */
function standing({ override, state: own }) {
  if (!override) return state(own);
  return [state(override, `held ${override}`), h("span", { class: "aside" }, `by itself ${words(own)}`)];
}

function facts(breaker) {
  const fact = (name, ...value) => h("div", {}, h("dt", {}, name), h("dd", {}, ...value));
  return h(
    "dl",
    { class: "facts" },
    fact("Calls", breaker.calls),
    fact("Failed", breaker.failures),
    fact("Slow", breaker.slow),
    breaker.open_until && fact("Open for", h("span", { role: "timer" }, countdown(breaker.open_until))),
    breaker.override && fact("By", `${breaker.override_who}: ${breaker.override_reason}`),
  );
}

async function overrule(partner, override, meaning, { say, reload }) {
  const action = { open: "Hold open", closed: "Hold closed" }[override] ?? "Lift";
  const question = { title: `${action}: ${partner}`, text: meaning, label: "Reason", action };
  const done = await ask(question, (reason) => send("PUT", `/breakers/${partner}`, { override, reason }));
  if (done)
    say(
      override
        ? `The breaker of ${partner} is held ${override}.`
        : `The breaker of ${partner} decides by itself.`,
    );
  await reload();
}

function history(partner, changes) {
  if (changes.length === 0) return h("p", { class: "empty" }, "None yet.");
  const row = (change) =>
    h(
      "tr",
      { key: change.event_id },
      h("td", {}, moment(change.at)),
      h(
        "td",
        {},
        change.from_state === change.to_state
          ? words(change.to_state)
          : `${words(change.from_state)} → ${words(change.to_state)}`,
      ),
      h("td", {}, words(change.cause)),
      h("td", { class: "number" }, `${change.failures} of ${change.calls}`),
      h("td", { class: "text" }, [change.who, change.reason].filter(Boolean).join(": ")),
    );
  return table(
    `Changes of the breaker of ${partner}`,
    ["When", "State", "Cause", ["Failed", "number"], "Reason"],
    changes.map(row),
  );
}
