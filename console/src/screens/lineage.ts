//! Whom an object is fed by and whom it feeds, over all steps. Pure.

import type { PipelineInfo, TableInfo } from '../wire/catalog.svelte';

export interface Step {
  table: string;
  /** The pipeline between it and the object before it. */
  pipeline: string;
  depth: number;
}

const DEPTH_LIMIT = 8;

function walk(start: string, next: (name: string) => { table: string; pipeline: string }[]): Step[] {
  const found: Step[] = [];
  const seen = new Set([start]);
  const visit = (name: string, depth: number) => {
    if (depth > DEPTH_LIMIT) return;
    for (const { table, pipeline } of next(name)) {
      if (seen.has(table)) continue;
      seen.add(table);
      found.push({ table, pipeline, depth });
      visit(table, depth + 1);
    }
  };
  visit(start, 1);
  return found;
}

/** What the object is made from, the nearest first. */
export function upstream(table: TableInfo, pipelines: PipelineInfo[]): Step[] {
  return walk(table.name, (name) => pipelines.filter((pipeline) => targetsOf(pipeline).includes(name)).flatMap((pipeline) => pipeline.sources.map((source) => ({ table: source, pipeline: pipeline.name }))));
}

/** What is made from it. */
export function downstream(table: TableInfo, pipelines: PipelineInfo[]): Step[] {
  return walk(table.name, (name) => pipelines.filter((pipeline) => pipeline.sources.includes(name)).flatMap((pipeline) => targetsOf(pipeline).map((target) => ({ table: target, pipeline: pipeline.name }))));
}

const targetsOf = (pipeline: PipelineInfo): string[] => pipeline.target.split(',').map((name) => name.trim()).filter(Boolean);
