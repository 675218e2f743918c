/**
 * The formats of JSON Schema's vocabulary, and zod's that comes without a pattern, as patterns of the whole text. Pure data.
 *
 * - Each text of a pattern is of its format; some of a format's texts are left out: host names of many labels, addresses
 *   in brackets, what is not ASCII.
 * - A format that is not here only describes, as JSON Schema has it for those that one doesn't know.
 */
const DAY = String.raw`(?:\d{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\d|3[01])|(?:0[469]|11)-(?:0[1-9]|[12]\d|30)|02-(?:0[1-9]|1\d|2[0-8]))|(?:\d\d(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)-02-29)`;
const HOUR = String.raw`(?:[01]\d|2[0-3]):[0-5]\d`;
const TIME = String.raw`${HOUR}:[0-5]\d(?:\.\d+)?(?:Z|[+-]${HOUR})`;

const CLOCK = String.raw`T(?:\d+H(?:\d+M(?:\d+S)?)?|\d+M(?:\d+S)?|\d+S)`;
const DURATION = String.raw`P(?:(?:\d+Y(?:\d+M(?:\d+D)?)?|\d+M(?:\d+D)?|\d+D)(?:${CLOCK})?|${CLOCK}|\d+W)`;

/** Not two hyphens on end: those begin what is encoded, and decoding it may fail. */
const label = (least: string, most: number) => `[A-Za-z0-9]${least}(?:-?[A-Za-z0-9]){0,${most}}`;
const HOST = `${label("", 20)}(?:\\.${label("", 20)}){0,5}`;
const NAME = `(?:${label("", 20)}\\.){1,5}[A-Za-z]${label("", 19)}`;
const ATOM = "[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+";
const EMAIL = `${ATOM}(?:\\.${ATOM})*@${NAME}`;

const BYTE = String.raw`(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)`;
const IPV4 = String.raw`(?:${BYTE}\.){3}${BYTE}`;
const PIECE = "[0-9A-Fa-f]{1,4}";
const pieces = (least: number, most: number) => (most === 0 ? "" : `(?:${PIECE}(?::${PIECE}){${Math.max(0, least - 1)},${most - 1}})${least === 0 ? "?" : ""}`);
/** `::` stands for one piece of zeros or more. */
const shortened = Array.from({ length: 8 }, (_, left) => `${pieces(left, left)}::${pieces(0, 7 - left)}`);
const IPV6 = `(?:${pieces(8, 8)}|${shortened.join("|")})`;

const HEX = "[0-9A-Fa-f]";
const UUID = `${HEX}{8}-${HEX}{4}-${HEX}{4}-${HEX}{4}-${HEX}{12}`;

const LETTER = `(?:[A-Za-z0-9._~!$&'()*+,;=-]|%${HEX}{2})`;
const SEGMENT = `(?:${LETTER}|[:@])`;
const TAIL = `(?:\\?(?:${SEGMENT}|[/?])*)?(?:#(?:${SEGMENT}|[/?])*)?`;
const PATH = `(?:/${SEGMENT}*)*`;
const PLACE = `(?:${NAME}|localhost|${IPV4})(?::(?:[1-9]\\d{0,3}|[1-5]\\d{4}))?`;
const URI = `(?:(?!file:|FILE:)[A-Za-z][A-Za-z0-9+.-]*://${PLACE}${PATH}|(?:urn|mailto|tel|data):${SEGMENT}+)${TAIL}`;
const RELATIVE = `(?:${LETTER}+${PATH}|/(?:${SEGMENT}+${PATH})?|)${TAIL}`;
const URI_REFERENCE = `(?:${URI}|${RELATIVE})`;

const header = (alg: string) => btoa(JSON.stringify({ alg, typ: "JWT" })).replaceAll("=", "");
const CODED = "(?:[A-Za-z0-9_-]{4})*(?:[A-Za-z0-9_-]{2,3})?";
const JWT = `(?:${["HS256", "RS256", "ES256", "EdDSA"].map(header).join("|")})\\.eyJ[A-Za-z0-9_-]${CODED}\\.${CODED}`;

const POINTER = "(?:/(?:[^/~]|~[01])*)*";

export const FORMATS: Readonly<Record<string, string>> = {
  "date-time": `${DAY}T${TIME}`,
  date: DAY,
  time: TIME,
  duration: DURATION,
  email: EMAIL,
  "idn-email": EMAIL,
  hostname: HOST,
  "idn-hostname": HOST,
  ipv4: IPV4,
  ipv6: IPV6,
  uuid: UUID,
  uri: URI,
  "uri-reference": URI_REFERENCE,
  iri: URI,
  "iri-reference": URI_REFERENCE,
  "uri-template": `(?!.*')${URI_REFERENCE}`, // without places to fill in
  "json-pointer": POINTER,
  "relative-json-pointer": `(?:0|[1-9]\\d*)(?:#|${POINTER})`,
  jwt: JWT,
  regex: "[A-Za-z0-9 _]*",
};
