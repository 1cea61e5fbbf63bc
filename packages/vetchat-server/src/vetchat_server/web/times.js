/** Times for people, from the wire's milliseconds since the epoch, in the browser's time zone. */

const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const longDay = new Intl.DateTimeFormat("en-GB", { weekday: "long", day: "numeric", month: "long" });
const shortDay = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });

/** "16:31" */
export const timeOf = (ms) => clock.format(ms);

/** The same for two times of one calendar day, different for others. */
export const dayKey = (ms) => new Date(ms).toDateString();

/** "Today", "Yesterday" or "Wednesday 25 November" */
export function dayOf(ms) {
  const today = new Date();
  const yesterday = new Date(today.getFullYear(), today.getMonth(), today.getDate() - 1);
  if (dayKey(ms) === dayKey(today)) return "Today";
  if (dayKey(ms) === dayKey(yesterday)) return "Yesterday";
  return longDay.format(ms);
}

/** "16:31" today, "25 Nov" on other days */
export const briefly = (ms) => (dayKey(ms) === dayKey(Date.now()) ? timeOf(ms) : shortDay.format(ms));
