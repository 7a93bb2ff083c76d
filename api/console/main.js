// The console: who is signed in, which view is open, and keeping it up to date.

import { open as openActs } from "./acts.js";
import { Problem, get, hasToken, onTokenRefused, request, useToken } from "./api.js";
import { open as openAttention } from "./attention.js";
import { open as openBook } from "./book.js";
import { open as openBreakers } from "./breakers.js";
import { pause, visible } from "./clock.js";
import { open as openDeadLetters } from "./deadletters.js";
import { patch } from "./dom.js";
import { header } from "./header.js";
import { open as openLab } from "./lab.js";
import { open as openSignIn } from "./signin.js";
import { open as openTrip } from "./trip.js";
import { open as openTrips } from "./trips.js";

const REFRESH_MS = 1000;
const SLOWEST_MS = 15_000;
const COUNT_MS = 5000;
const COUNTED = 100;
const SAID_MS = 8000;
const NOT_TAKEN = new Problem(401, {
  detail: "This token is not accepted, or no longer. Sign in with another one.",
});

const VIEWS = {
  trips: openTrips,
  attention: openAttention,
  breakers: openBreakers,
  "dead-letters": openDeadLetters,
  lab: openLab,
  acts: openActs,
  book: openBook,
};

const session = { me: null, refusal: null, waiting: null };
let current = null; // the open view
let silence; // the timer that ends what is said
let running = new AbortController(); // aborted when another view is opened

const element = (id) => document.getElementById(id);

/** Show a view, and keep it up to date until another one is opened; `afresh` moves the focus to it. */
function show(view, afresh) {
  running.abort();
  current?.close?.();
  running = new AbortController();
  current = view;
  document.title = `${view.title} – Trip booking`;
  if (afresh) patch(element("main"));
  redraw();
  if (afresh) element(view.focus ?? "main").focus();
  if (view.refresh) keepFresh(view, running.signal);
}

function redraw() {
  patch(
    element("header"),
    header(session, place().name, () => signOut(null)),
  );
  if (current) patch(element("main"), current.draw());
}

/** Say what has come of something, for a while; it is read out, too. */
function say(text) {
  clearTimeout(silence);
  element("spoken").textContent = text;
  silence = setTimeout(() => say(""), SAID_MS);
}

function trouble(text) {
  if (element("trouble").textContent !== text) element("trouble").textContent = text;
}

async function keepFresh(view, signal) {
  let ms = REFRESH_MS;
  while (!signal.aborted) {
    await visible(signal);
    ms = (await refreshed(view, signal)) ?? Math.min(SLOWEST_MS, ms * 2);
    await pause(ms, signal);
  }
}

/** How long to wait before the next look, in ms; undefined where this one failed. */
async function refreshed(view, signal) {
  try {
    await view.refresh();
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    if (signal.aborted) return undefined;
    trouble(`${error.message} Trying again.`);
    return error.retryAfterS && error.retryAfterS * 1000;
  }
  if (signal.aborted) return undefined;
  trouble("");
  redraw();
  return REFRESH_MS;
}

async function reload() {
  await refreshed(current, running.signal);
}

/** Count the trips that need attention, whichever view is open. */
async function watchAttention() {
  for (;;) {
    await visible();
    if (session.me) await countWaiting();
    await pause(COUNT_MS);
  }
}

async function countWaiting() {
  try {
    const { items, next_cursor: more } = await get(`/trips?status=needs_attention&limit=${COUNTED}`);
    const waiting = more ? `${items.length}+` : items.length || null;
    if (waiting && waiting !== session.waiting) say(`Trips that need attention: ${waiting}.`);
    session.waiting = waiting;
  } catch (error) {
    if (!(error instanceof Problem)) throw error; // the open view says what is wrong
  }
}

/** Have Temporal's UI show payloads in clear in this browser (POST), or no more (DELETE). */
async function decoding(method, me) {
  if (!me?.codec || !me.scopes.includes("fleet")) return;
  try {
    await request("/codec/session", { method });
  } catch (error) {
    if (!(error instanceof Problem)) throw error; // the UI then shows them encrypted, and says so
  }
}

function signOut(refusal) {
  if (!refusal) decoding("DELETE", session.me);
  useToken(null);
  Object.assign(session, { me: null, refusal, waiting: null });
  element("dialog").close();
  trouble("");
  say("");
  show(openSignIn(context()), true);
}

function signedIn(me) {
  Object.assign(session, { me, refusal: null });
  decoding("POST", me);
  trouble("");
  show(viewHere(), true);
}

/** What the address names: `#/trips/ID`, or `#/trips?status=…`. */
function place() {
  const [path, query] = location.hash.slice(2).split("?");
  const [name, id] = path.split("/");
  return {
    name: Object.hasOwn(VIEWS, name) ? name : "trips",
    id,
    query: Object.fromEntries(new URLSearchParams(query)),
  };
}

function context() {
  return { ...place(), me: session.me, refusal: session.refusal, redraw, say, reload, signedIn };
}

function viewHere() {
  const here = context();
  const open = here.name === "trips" && here.id ? openTrip : VIEWS[here.name];
  return open(here);
}

/** Follow the address. The filters and pages of one list keep the focus where it is. */
function follow() {
  if (!session.me) return;
  const view = viewHere();
  show(view, view.title !== current.title);
}

async function start() {
  window.addEventListener("hashchange", follow);
  onTokenRefused(() => signOut(NOT_TAKEN));
  redraw();
  if (!hasToken()) signOut(null);
  for (let ms = REFRESH_MS; hasToken() && !session.me; ms = Math.min(SLOWEST_MS, ms * 2)) {
    try {
      signedIn(await get("/me"));
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      if (hasToken()) trouble(`${error.message} Trying again.`);
      await pause(ms);
    }
  }
  watchAttention();
}

start();
