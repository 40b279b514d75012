// SVG charts of sections.
import * as echarts from 'echarts';
import { ratio } from './figures.mjs';

const WIDTH = 800;
const COLORS = ['#2f6db5', '#d9822b', '#4f9d69', '#8a5fb0'];
const BASE = {
  animation: false,
  backgroundColor: '#ffffff',
  color: COLORS,
  textStyle: { fontFamily: 'sans-serif' },
};

/** @returns {string | undefined} undefined for a list */
export function chartOf(section) {
  if (section.kind === 'comparison')
    return draw(bars(section), 90 + 26 * section.rows.length * section.metrics.length);
  if (section.kind === 'curves') return draw(lines(section), 400);
  return undefined;
}

/** The ratios to the reference, with one color for each metric. */
function bars({ metrics, rows, reference }) {
  // The axis begins at the bottom.
  const upwards = rows.toReversed();
  return {
    ...BASE,
    legend: { top: 0 },
    grid: { left: 10, right: 60, top: 30, bottom: 40, containLabel: true },
    xAxis: { type: 'value', name: `ratio to ${reference}`, nameLocation: 'middle', nameGap: 26 },
    yAxis: { type: 'category', data: upwards.map(({ name }) => name) },
    series: metrics.map(({ name: metric, title, isHigherBetter }) => ({
      type: 'bar',
      name: `${title} (${isHigherBetter ? 'more' : 'less'} is better)`,
      data: upwards.map(({ figures }) => figures[metric].ratio.median),
      label: { show: true, position: 'right', formatter: ({ value }) => ratio(value) },
    })),
  };
}

function lines({ x, y, series }) {
  return {
    ...BASE,
    legend: { top: 0 },
    grid: { left: 50, right: 30, top: 40, bottom: 45, containLabel: true },
    xAxis: {
      type: x.log ? 'log' : 'value',
      name: x.title,
      nameLocation: 'middle',
      nameGap: 28,
      ...rangeOf(x, series),
    },
    yAxis: { type: y.log ? 'log' : 'value', name: y.title, nameLocation: 'middle', nameGap: 50 },
    series: series.map(({ name, points }) => ({ type: 'line', name, data: points, symbolSize: 7 })),
  };
}

/** Otherwise a logarithmic axis would begin at a round number far below the first point. */
function rangeOf({ log }, series) {
  const at = series.flatMap(({ points }) => points.map(([x]) => x));
  return log ? { min: Math.min(...at), max: Math.max(...at) } : {};
}

function draw(option, height) {
  const chart = echarts.init(null, null, { renderer: 'svg', ssr: true, width: WIDTH, height });
  chart.setOption(option);
  const svg = chart.renderToSVGString();
  chart.dispose();
  return `${svg}\n`;
}
