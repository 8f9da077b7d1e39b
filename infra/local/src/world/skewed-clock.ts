/**
 * Preloaded (`--import`) into a server whose clock is to be wrong: everything in that process that
 * asks for the time of day gets it shifted. Timers and `performance.now` tick as before.
 */
const skewMs = Number(process.env['CAUSEWAY_CLOCK_SKEW_MS'] ?? 0);

const realNow = Date.now.bind(Date);
Date.now = () => realNow() + skewMs;
globalThis.Date = new Proxy(Date, {
  construct: (target, args, newTarget) =>
    Reflect.construct(target, args.length === 0 ? [target.now()] : args, newTarget) as Date,
  apply: (target) => new target(target.now()).toString(),
});
