import { median } from '../../statistics.mjs';

/**
 * Measures points in interleaved rounds, and returns the median of each.
 *
 * @template Point
 * @param {readonly Point[]} points
 * @param {number} rounds
 * @param {(point: Point) => Promise<Record<string, number>>} measure returns figures by the name of their curve
 * @param {(point: Point) => number} xOf
 * @returns series of `[x, y]`
 */
export async function measurePoints(points, rounds, measure, xOf) {
  const figures = points.map(() => []);
  for (let round = 0; round < rounds; round += 1) {
    for (const [index, point] of points.entries()) {
      globalThis.gc?.();
      figures[index].push(await measure(point));
    }
  }
  return Object.keys(figures[0][0]).map((name) => ({
    name,
    points: points.map((point, index) => [xOf(point), median(figures[index].map((one) => one[name]))]),
  }));
}
