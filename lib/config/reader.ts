/** Reads single settings from the environment; what can't be used is a SettingsError that names the variable. */

/** A bad setting stops the start (exit 4) with this one line. */
export class SettingsError extends Error {
  override readonly name = "SettingsError";
  constructor(readonly variable: string, value: string, allowed: string) {
    super(`${variable}=${JSON.stringify(value)} is not usable: ${allowed}.`);
  }
}

export type Environment = Readonly<Record<string, string | undefined>>;

export interface Reader<Name extends string> {
  /** An empty value counts as not set. */
  text(name: Name, fallback: string): string;
  /** Separated by commas. */
  list(name: Name, fallback: string): string[];
  integer(name: Name, fallback: number, min: number, max: number): number;
  /** Upper and lower case are alike. */
  choice<T extends string>(name: Name, fallback: T, allowed: readonly T[]): T;
  hostName(name: Name, fallback: string): string;
  flag(name: Name, fallback: boolean): boolean;
}

// deno-lint-ignore no-control-regex -- those are what it is about
export const CONTROL = /[\0-\x1f\x7f]/;

export function reader<Name extends string>(env: Environment): Reader<Name> {
  const read: Reader<Name> = {
    text: (name, fallback) => env[name]?.trim() || fallback,
    list: (name, fallback) =>
      read.text(name, fallback).split(",").map((item) => item.trim()).filter(Boolean),
    integer(name, fallback, min, max) {
      const value = read.text(name, String(fallback));
      if (!/^\d{1,9}$/.test(value) || Number(value) < min || Number(value) > max) {
        throw new SettingsError(name, value, `a whole number from ${min} to ${max} is`);
      }
      return Number(value);
    },
    choice<T extends string>(name: Name, fallback: T, allowed: readonly T[]): T {
      const value = read.text(name, fallback);
      const found = allowed.find((word) => word.toLowerCase() === value.toLowerCase());
      if (found === undefined) throw new SettingsError(name, value, `${allowed.join(", ")} are`);
      return found;
    },
    hostName(name, fallback) {
      const value = read.text(name, fallback);
      if (!/^[0-9A-Za-z.:_-]{1,253}$/.test(value)) {
        throw new SettingsError(name, value, "a host name or an IP address is");
      }
      return value;
    },
    flag: (name, fallback) =>
      read.choice(name, fallback ? "true" : "false", ["false", "true"]) === "true",
  };
  return read;
}
