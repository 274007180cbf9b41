/** Made from docs/ by console/guides/plugin.ts. */
declare module 'virtual:guides' {
  import type { Guide, Heading } from '../guides/markdown';
  export interface GuideEntry { name: string; title: string; lead: string; headings: Heading[] }
  export const groups: { title: string; guides: GuideEntry[] }[];
  export const loads: Record<string, () => Promise<{ default: Guide }>>;
}
