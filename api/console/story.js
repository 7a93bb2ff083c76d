// What is known of how a trip went: its changes, put together from its events, and its failed attempts.

const AT = {
  held: (step) => step.held_at,
  confirmed: (step) => step.confirmation?.at,
  released: (step) => step.release?.at,
};

/** A trip's story so far. `changes` are `{ at, name, status }`, oldest first; `name` is a step's, or `trip`. */
export class Story {
  trip = null;
  changes = [];
  attempts = [];
  #last = new Map();

  /** Add the trip as the next event tells it. */
  add(trip) {
    this.trip = trip;
    for (const step of trip.steps)
      this.#note(step.name, step.status, AT[step.status]?.(step) ?? trip.updated_at);
    this.#note("trip", trip.status, trip.updated_at);
    this.changes.sort((a, b) => a.at - b.at);
  }

  /** The changes of one lane. */
  of(name) {
    return this.changes.filter((change) => change.name === name);
  }

  #note(name, status, at) {
    if (this.#last.get(name) === status) return;
    this.#last.set(name, status);
    if (status !== "pending") this.changes.push({ at: Date.parse(at), name, status });
  }
}
