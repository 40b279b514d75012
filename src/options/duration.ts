/**
 * A duration: a whole number of seconds, or a string with a unit, such as `'15m'`, `'12h'` or `'7d'`, in the format of
 * the package `ms`. A string without a unit is refused: `ms` would read `'900'` as 900 milliseconds.
 */
export type Duration = number | string;
