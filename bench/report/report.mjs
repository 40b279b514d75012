// Writes bench/results.json, docs/benchmarks.md and its charts.
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { writeResults } from '../results.mjs';
import { chartOf } from './charts.mjs';
import { documentOf } from './document.mjs';
import { formatted } from './formatted.mjs';

const DOCUMENT = new URL('../../docs/benchmarks.md', import.meta.url);
const CHARTS = new URL('../../docs/benchmarks/', import.meta.url);

export async function writeReport(results) {
  await writeResults(results);
  const charts = await writeCharts(Object.values(results.parts).flatMap(({ sections }) => sections));
  await writeFile(DOCUMENT, await formatted(documentOf(results, charts), 'markdown'));
}

/** @returns the names of their files, by the id of their section */
async function writeCharts(sections) {
  await rm(CHARTS, { recursive: true, force: true });
  await mkdir(CHARTS, { recursive: true });
  const charts = {};
  for (const section of sections) {
    const svg = chartOf(section);
    if (svg === undefined) continue;
    charts[section.id] = `${section.id}.svg`;
    await writeFile(new URL(charts[section.id], CHARTS), svg);
  }
  return charts;
}
