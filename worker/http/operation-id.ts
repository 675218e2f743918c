/**
 * The name of an operation in the API's document, derived from its way in: stable as long as method and path are, and
 * one for each way. `GET /v1/tenants/{t}/keys/{id}` is `getTenantsByTKeysById`. Pure.
 */
const capital = (word: string) => word.charAt(0).toUpperCase() + word.slice(1);
const words = (segment: string) => segment.split(/[^A-Za-z0-9]+/).map(capital).join("");

export function operationIdOf(method: string, path: string): string {
  const segments = path.split("/").filter((segment) => segment !== "" && segment !== "v1");
  return method.toLowerCase() + segments.map((segment) => (segment.startsWith("{") ? `By${words(segment)}` : words(segment))).join("");
}
