/** Codes of invites made in this window, by invite. In memory only: a code opens the door. */
const codes = new Map<string, string>();

export function codeOf(invite: string): string | undefined {
  return codes.get(invite);
}

export function keepCode(invite: string, code: string): void {
  codes.set(invite, code);
}

/** Forgets all codes, when the profile is locked. */
export function forgetCodes(): void {
  codes.clear();
}
