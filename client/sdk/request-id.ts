/** `req_` and 32 hex digits: the correlation id of one call, made here so that both sides' records carry it. */
export const newRequestId = () => `req_${crypto.randomUUID().replaceAll("-", "")}`;
