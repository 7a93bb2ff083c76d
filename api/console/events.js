// Server-sent events by fetch: EventSource cannot send the token.

import { Problem, request } from "./api.js";
import { pause, visible } from "./clock.js";

const SILENCE_MS = 45_000; // three keep-alive comments missed
const PAUSE_MS = 500;
const PAUSE_CAP_MS = 15_000;
const MAX_LINE = 1_000_000;

/**
 * Hand each event of `path` to `seen({ id, event, data })`, until it answers true or `signal` is aborted.
 * A stream that breaks off is resumed after the last event seen; while nobody looks there is none, since a
 * browser opens few connections at once. Throws Problem where the call is refused.
 */
export async function follow(path, signal, seen) {
  let lastId;
  let failures = 0;
  while (!signal.aborted) {
    await visible(signal);
    try {
      for await (const event of stream(path, lastId, signal)) {
        lastId = event.id ?? lastId;
        failures = 0;
        if (seen(event)) return;
      }
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof Problem) || isFinal(error.status)) throw error;
    }
    await pause(Math.random() * Math.min(PAUSE_CAP_MS, PAUSE_MS * 2 ** failures), signal);
    failures = document.hidden ? 0 : failures + 1;
  }
}

function isFinal(status) {
  return status >= 400 && status < 500 && status !== 429;
}

async function* stream(path, lastId, signal) {
  const ending = new AbortController();
  const end = () => ending.abort();
  const endIfHidden = () => document.hidden && end();
  let alarm = setTimeout(end, SILENCE_MS);
  document.addEventListener("visibilitychange", endIfHidden);
  try {
    const headers = {
      Accept: "text/event-stream",
      ...(lastId === undefined ? {} : { "Last-Event-ID": lastId }),
    };
    const answer = await request(path, { headers, signal: AbortSignal.any([signal, ending.signal]) });
    const parser = new Parser();
    for await (const text of chunks(answer)) {
      clearTimeout(alarm);
      alarm = setTimeout(end, SILENCE_MS);
      yield* parser.events(text);
    }
  } finally {
    clearTimeout(alarm);
    document.removeEventListener("visibilitychange", endIfHidden);
  }
}

async function* chunks(answer) {
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  try {
    for (let read = await next(reader); !read.done; read = await next(reader)) yield read.value;
  } finally {
    reader.cancel().catch(() => {});
  }
}

async function next(reader) {
  try {
    return await reader.read();
  } catch {
    throw new Problem(0, { detail: "The stream broke off." });
  }
}

class Parser {
  #rest = "";
  #event = {};

  *events(text) {
    const lines = (this.#rest + text).split(/\r?\n/);
    this.#rest = lines.pop();
    if (this.#rest.length > MAX_LINE)
      throw new Problem(0, { detail: "The stream sends a line without end." });
    for (const line of lines) {
      if (line === "") yield* this.#finished();
      else this.#field(line);
    }
  }

  *#finished() {
    const { id, event = "message", data } = this.#event;
    this.#event = {};
    if (data !== undefined) yield { id, event, data };
  }

  #field(line) {
    const [name, value] = line.split(/: ?(.*)/s, 2);
    if (name === "data" && this.#event.data !== undefined) this.#event.data += `\n${value ?? ""}`;
    else if (name === "data" || name === "id" || name === "event") this.#event[name] = value ?? "";
  }
}
