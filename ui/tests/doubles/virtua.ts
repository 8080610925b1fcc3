/** A list that draws all of its rows, for a page without layout. */
export { default as VList } from './VList.svelte';
