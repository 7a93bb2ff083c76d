// A step that needs attention: which it is, and what an operator can do about it.

import { Problem, send } from "./api.js";
import { ask } from "./dialog.js";
import { h } from "./dom.js";
import { button } from "./parts.js";

/** Whether this step's confirmation or release failed and is still to be made. */
export function isStuck(trip, step) {
  if (trip.status !== "needs_attention") return false;
  if (step.release) return step.release.error !== null && step.status !== "released";
  return Boolean(step.confirmation?.error) && step.status === "held";
}

/** What is to be made of a stuck step: its release, or its confirmation. */
export function pendingCall(step) {
  return step.release ? "release" : "confirmation";
}

/** The buttons of a stuck step. */
export function stuckActions(trip, step, { say, reload }) {
  const path = `/trips/${encodeURIComponent(trip.trip_id)}/steps/${step.name}`;
  const retry = async () => {
    try {
      await send("POST", `${path}/retry`);
      say(`The ${pendingCall(step)} of the ${step.name} is being tried again.`);
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      say(error.message);
    }
    await reload();
  };
  const resolve = async () => {
    const done = await ask(resolution(step), (note) => send("POST", `${path}/resolve`, { note }));
    if (done) say(`The ${step.name} is settled by hand.`);
    await reload();
  };
  return h(
    "span",
    { class: "actions" },
    button("Retry", retry, { label: `Retry the ${step.name}` }),
    button("Resolve…", resolve, { label: `Resolve the ${step.name} by hand` }),
  );
}

function resolution(step) {
  const becomes = step.release ? "released" : "confirmed";
  return {
    title: `Settle the ${step.name} by hand`,
    text: `Do this once it is ${becomes} outside this system. The step then stands as ${becomes}, and your note is kept with the trip.`,
    label: "What was done, and by whom",
    action: `It is ${becomes}`,
  };
}
