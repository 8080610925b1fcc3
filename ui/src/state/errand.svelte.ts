import { onDestroy } from 'svelte';

import { CallError } from '../contract';
import { app } from './app.svelte';
import { complain } from './notices.svelte';

/**
 * What a dialog does when it is confirmed. The dialog may be closed meanwhile: then a notice tells what came of it,
 * unless the profile was locked as well.
 */
export class Errand {
  busy = $state(false);
  error = $state.raw<CallError>();
  #gone = false;
  readonly #profile = app.profile;

  /** Made while the dialog's component is. */
  constructor() {
    onDestroy(() => {
      this.#gone = true;
    });
  }

  /** Does it unless it is being done; then `here` in the dialog, or `gone` without it. */
  async run<T>(
    what: () => Promise<T>,
    { here, gone }: { here: (made: T) => void; gone: (made: T) => void },
  ): Promise<void> {
    if (this.busy) return;
    this.busy = true;
    this.error = undefined;
    try {
      const made = await what();
      if (!this.#gone) here(made);
      else if (app.profile === this.#profile) gone(made);
    } catch (reason) {
      if (!this.#gone) this.error = CallError.from(reason);
      else if (app.profile === this.#profile) complain(reason);
    } finally {
      this.busy = false;
    }
  }
}
