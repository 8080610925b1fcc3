/** The clipboard of the system. */
import { complain } from './notices.svelte';

/** Copies a text; whether it is there now. What went wrong is told by a notice, or as the caller wants it. */
export async function copyText(text: string, failed: (reason: unknown) => void = complain): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch (reason) {
    failed(reason);
    return false;
  }
}
