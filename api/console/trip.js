// One trip, live: its steps, its timeline, and what can be done about it.

import { Problem, get, send } from "./api.js";
import { now } from "./clock.js";
import { ask } from "./dialog.js";
import { h } from "./dom.js";
import { follow } from "./events.js";
import { messages } from "./messages.js";
import { button, problemBox, state, table } from "./parts.js";
import { isStuck, stuckActions } from "./stuck.js";
import { Story } from "./story.js";
import { log, timeline } from "./timeline.js";
import { age, moment, money, reason, words } from "./words.js";

const FINAL = new Set(["confirmed", "failed", "cancelled"]);
const MOST = 500; // attempts, and messages
const LATE_MS = 5000;

/** The page of the trip `id`. It follows the trip's events, and asks for the rest while the trip goes on. */
export function open(context) {
  const path = `/trips/${encodeURIComponent(context.id)}`;
  const story = new Story();
  const closing = new AbortController();
  const openedAt = now();
  let refusal = null;
  let told = null; // the messages of a choreographed trip
  let complete = false; // all is here: the last attempts are written a little after the trip's end

  const seen = ({ data }) => {
    const trip = JSON.parse(data);
    const before = story.trip?.status;
    story.add(trip);
    const isNews = Date.parse(trip.updated_at) > openedAt; // else it is the past being told
    if (isNews && before !== trip.status) context.say(`The trip’s status: ${words(trip.status)}.`);
    context.redraw();
    return FINAL.has(trip.status);
  };
  follow(`${path}/events`, closing.signal, seen).catch((error) => {
    if (!(error instanceof Problem)) throw error;
    refusal = error;
    context.redraw();
  });

  return {
    title: `Trip ${context.id}`,
    refresh: async () => {
      if (complete || refusal) return;
      const over = FINAL.has(story.trip?.status) && now() - Date.parse(story.trip.updated_at) > LATE_MS;
      const list = (name) => get(`${path}/${name}?limit=${MOST}`);
      story.attempts = (await list("attempts")).items;
      if (isChoreographed(story.trip)) told = await list("messages");
      complete = over;
    },
    draw: () => [
      h("p", { class: "back" }, h("a", { href: "#/trips" }, "All trips")),
      problemBox(refusal),
      story.trip && [heading(story.trip), facts(story.trip), actions(path, story.trip, context)],
      story.trip && [steps(story.trip, context), interventions(story.trip), timeline(story), log(story)],
      told && messages(story.trip, told),
    ],
    close: () => closing.abort(),
  };
}

function heading(trip) {
  return h("h1", { class: "trip-title" }, "Trip ", h("code", {}, trip.trip_id), " ", state(trip.status));
}

function isChoreographed(trip) {
  return trip?.coordination === "choreography";
}

function facts({ total, created_at: created, coordination, failure }) {
  const fact = (name, ...value) => h("div", {}, h("dt", {}, name), h("dd", {}, ...value));
  return h(
    "dl",
    { class: "facts" },
    fact("Total", money(total.amount_minor, total.currency)),
    fact("Booked", moment(created), h("span", { class: "aside" }, ` ${age(created)} ago`)),
    fact("Coordination", coordination),
    failure && fact("Failed", failure.step && `${failure.step}: `, reason(failure)),
  );
}

function actions(path, trip, context) {
  const cancel = async () => {
    if (await ask(CANCEL, () => send("POST", `${path}/cancel`))) context.say("The trip will be undone.");
  };
  return h(
    "div",
    { class: "actions" },
    trip.status === "booking" && button("Cancel the trip…", cancel, { key: "cancel" }),
    trip.links.temporal_ui &&
      h(
        "a",
        { href: trip.links.temporal_ui, target: "_blank", rel: "noopener noreferrer" },
        "Its history in the Temporal UI",
      ),
  );
}

const CANCEL = {
  title: "Cancel this trip?",
  text: "All that was held is released again. This cannot be taken back.",
  action: "Cancel the trip",
  danger: true,
};

function steps(trip, context) {
  const headings = [
    "Step",
    "State",
    "Reference",
    ["Amount", "number"],
    ["Holds sent", "number"],
    "Confirmation",
    "Release",
    "Error",
  ];
  return [
    h("h2", {}, "Steps"),
    table(
      "Steps of the trip",
      headings,
      trip.steps.map((step) => stepRow(trip, step, context)),
    ),
  ];
}

function stepRow(trip, step, context) {
  const stuck = isStuck(trip, step) && context.me.scopes.includes("operator");
  return h(
    "tr",
    { key: step.name },
    h("th", { scope: "row" }, step.name),
    h("td", {}, state(step.status)),
    h("td", {}, step.reference && h("code", {}, step.reference)),
    h("td", { class: "number" }, money(step.amount_minor, trip.total.currency)),
    h("td", { class: "number" }, step.attempts),
    h("td", {}, call(step.confirmation)),
    h("td", {}, call(step.release)),
    h("td", { class: "text" }, step.error && reason(step.error), stuck && stuckActions(trip, step, context)),
  );
}

function call(record) {
  if (!record) return "–";
  const time = new Date(record.at).toLocaleTimeString();
  return record.attempts === 1 ? time : `${time}, ${record.attempts} attempts`;
}

function interventions(trip) {
  if (trip.interventions.length === 0) return null;
  const row = ({ at, who, action, step, note }) =>
    h(
      "tr",
      {},
      [moment(at), who, action, step || "–"].map((text) => h("td", {}, text)),
      h("td", { class: "text" }, note),
    );
  return [
    h("h2", {}, "By hand"),
    table("What was done", ["When", "Who", "What", "Step", "Note"], trip.interventions.map(row)),
  ];
}
