const PERIOD = 12.42 * 3600e3; // of the moon's main tide, in milliseconds
const DAY = 24 * 3600e3;

/** Return the height in metres at this time of each of the next days. */
export function heights(start, days) {
  return Array.from({ length: days }, (_, day) => {
    const time = start.getTime() + day * DAY;
    return 2 + 1.5 * Math.cos((2 * Math.PI * time) / PERIOD);
  });
}
