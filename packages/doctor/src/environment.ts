/** A delegate's environment variables, of this process or as a manifest gives them. */
export type Environment = Readonly<Record<string, string | undefined>>;
