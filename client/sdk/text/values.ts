/** What a value that came from outside is. Pure. */
export const isText = (value: unknown): value is string => typeof value === "string";
export const isObject = (value: unknown): value is object => typeof value === "object" && value !== null;
export const isListOf = <T>(value: unknown, isOne: (item: unknown) => item is T): value is readonly T[] => Array.isArray(value) && value.every(isOne);
