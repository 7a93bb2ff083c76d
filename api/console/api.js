// Calls to the API, with the operator's token.

import { setClock } from "./clock.js";

const KEY = "trips-token";
const LIMIT_MS = 15_000;

/** Under which path the front door is served; "" at the top. */
const ROOT = new URL("..", import.meta.url).pathname.replace(/\/$/, "");

let token = sessionStorage.getItem(KEY);
let tokenRefused = () => {};

/** Call `handle` whenever the API does not take the token. */
export function onTokenRefused(handle) {
  tokenRefused = handle;
}

/** Whether somebody has signed in. */
export function hasToken() {
  return token !== null;
}

/** Use this token from now on, until the browser's tab is closed; null forgets it. */
export function useToken(value) {
  token = value;
  if (value === null) sessionStorage.removeItem(KEY);
  else sessionStorage.setItem(KEY, value);
}

/** A refusal of the API (RFC 9457), or, with status 0, the lack of an answer. */
export class Problem extends Error {
  constructor(
    status,
    { code = "no_answer", detail = "The front door does not answer.", errors = [] },
    retryAfterS,
  ) {
    super(detail);
    this.status = status;
    this.code = code;
    this.errors = errors;
    this.retryAfterS = retryAfterS;
  }
}

/** The JSON that `GET path` answers. Throws Problem. */
export function get(path) {
  return send("GET", path);
}

/** The JSON that a call answers. Throws Problem. */
export async function send(method, path, body, headers = {}) {
  const options = { method, headers: { Accept: "application/json", ...headers } };
  if (body !== undefined) {
    options.headers["Content-Type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  const answer = await request(path, { ...options, signal: AbortSignal.timeout(LIMIT_MS) });
  try {
    return await answer.json();
  } catch {
    throw new Problem(0, { detail: "The front door's answer was cut off." });
  }
}

/** An answer whose body is still to be read. Throws Problem. */
export async function request(path, options) {
  let answer;
  try {
    const headers = { ...options.headers, Authorization: `Bearer ${token}` };
    answer = await fetch(ROOT + path, { ...options, headers, cache: "no-store", redirect: "error" });
  } catch {
    throw new Problem(0, {});
  }
  setClock(answer.headers.get("Date"));
  if (answer.ok) return answer;
  if (answer.status === 401) tokenRefused();
  throw new Problem(
    answer.status,
    await refusal(answer),
    Number(answer.headers.get("Retry-After")) || undefined,
  );
}

async function refusal(answer) {
  try {
    return await answer.json();
  } catch {
    return { code: "error", detail: `The front door answered ${answer.status}.` };
  }
}
