// The format of numbers.

/** Three significant digits, without an exponent. */
export function figure(value) {
  if (Math.abs(value) >= 1000) return Math.round(value).toLocaleString('en');
  if (value === 0) return '0';
  return String(Number(value.toPrecision(3)));
}

/** @param {number} value a ratio */
export function ratio(value) {
  return value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

/** @param {{ median: number, q1: number, q3: number }} summary */
export function ratioWithSpread({ median, q1, q3 }) {
  return `${ratio(median)} (${ratio(q1)} to ${ratio(q3)})`;
}
