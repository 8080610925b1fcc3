/** Forms of a sentence that depend on the number `{n}`, by the categories of `Intl.PluralRules`. */
export type Plural = {
  readonly one: string;
  readonly few?: string;
  readonly many?: string;
  readonly other: string;
};

/** Forms that Russian and Ukrainian grammar needs. */
export type SlavicPlural = {
  readonly one: string;
  readonly few: string;
  readonly many: string;
  readonly other: string;
};

/** Names of the `{placeholders}` in a sentence. */
export type Names<S> = S extends `${string}{${infer P}}${infer R}` ? P | Names<R> : never;

/** The sentences of a Slavic language: the same keys, and four forms wherever English has two. */
export type SlavicOf<E> = { readonly [K in keyof E]: E[K] extends string ? string : SlavicPlural };
