// Times, money and states in words.

import { now } from "./clock.js";

/** A duration of `ms` in words, in the unit that fits: `12 ms`, `0.2 s`, `14 s`, `3 min`, `5 h`, `2 d`. */
export function duration(ms) {
  const s = Math.max(0, ms) / 1000;
  if (s < 0.095) return `${Math.round(s * 1000)} ms`;
  if (s < 9.95) return `${s.toFixed(1)} s`;
  if (s < 99.5) return `${Math.round(s)} s`;
  if (s < 5400) return `${Math.round(s / 60)} min`;
  if (s < 129600) return `${Math.round(s / 3600)} h`;
  return `${Math.round(s / 86400)} d`;
}

/** How long ago `time` (RFC 3339) was, in whole units. */
export function age(time) {
  const ms = Math.max(0, now() - Date.parse(time));
  return ms < 99_500 ? `${Math.floor(ms / 1000)} s` : duration(ms);
}

/** What is left until `time` (RFC 3339) as minutes and seconds: `9:58`. */
export function countdown(time) {
  const s = Math.max(0, Math.ceil((Date.parse(time) - now()) / 1000));
  return `${Math.floor(s / 60)}:${String(s % 60).padStart(2, "0")}`;
}

/** A moment for people, by their own clock; to the second. */
export function moment(time) {
  return time ? new Date(time).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" }) : "";
}

const digits = new Map(); // currency -> how many of its digits are minor units

function minorDigits(currency) {
  if (!digits.has(currency)) {
    const options = { style: "currency", currency };
    digits.set(currency, new Intl.NumberFormat("en", options).resolvedOptions().maximumFractionDigits);
  }
  return digits.get(currency);
}

/** An amount of minor units in its currency: `54,000 JPY`; a dash where it is not known yet. */
export function money(amountMinor, currency) {
  if (amountMinor === null || amountMinor === undefined) return "–";
  const places = minorDigits(currency);
  const number = (Math.abs(amountMinor) / 10 ** places).toLocaleString("en", {
    minimumFractionDigits: places,
    maximumFractionDigits: places,
  });
  return `${amountMinor < 0 ? "−" : ""}${number}\u00a0${currency}`;
}

/** A code of the API as words: `needs_attention` is `needs attention`. */
export function words(code) {
  return code.replaceAll("_", " ");
}

/** Why something failed. */
export function reason({ code, message }) {
  return `${words(code)} – ${message}`;
}

/** The end of a trip's id, which is random: trips of one minute begin alike. */
export function shortId(tripId) {
  return tripId.slice(-8);
}
