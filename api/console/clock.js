// Time: the front door's clock, pauses, and whether anybody is looking.

let ahead = 0; // how far the front door's clock is ahead of this one, in ms

/** Learn the front door's clock from an answer's `Date` header; a difference under 2 s is its rounding. */
export function setClock(date) {
  const difference = Date.parse(date) + 500 - Date.now();
  if (Number.isFinite(difference)) ahead = Math.abs(difference) < 2000 ? 0 : difference;
}

/** Now by the front door's clock, in ms since 1970. */
export function now() {
  return Date.now() + ahead;
}

/** Resolves after `ms`, or once `signal` is aborted. */
export function pause(ms, signal) {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal?.addEventListener("abort", end);
  });
}

/** Resolves once the page can be seen, or `signal` is aborted. */
export function visible(signal) {
  if (!document.hidden) return Promise.resolve();
  return new Promise((resolve) => {
    const end = () => {
      document.removeEventListener("visibilitychange", end);
      signal?.removeEventListener("abort", end);
      resolve();
    };
    document.addEventListener("visibilitychange", end);
    signal?.addEventListener("abort", end);
  });
}
