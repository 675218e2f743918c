/**
 * The certificate of an erasure: a JWS (EdDSA, `typ: erasure+jwt`) by the key that signs leases. Its type keeps it from
 * ever being taken for a lease, and a lease for it.
 */
import { SignJWT, decodeJwt } from "jose";
import { type ErasureCertificate, erasureCertificate } from "../../schema/contract/erasure.ts";
import type { Settings } from "../env.ts";
import { importedKey } from "../leases/token.ts";

export const CERTIFICATE_TYPE = "erasure+jwt";

export async function signCertificate(claims: Omit<ErasureCertificate, "iss">, settings: Settings): Promise<string> {
  const [key] = settings.signingKeys;
  return new SignJWT({ ...claims, iss: settings.issuer })
    .setProtectedHeader({ alg: "EdDSA", typ: CERTIFICATE_TYPE, kid: key.kid })
    .sign(await importedKey(key).sign);
}

/** Reads one that came from our own archive; the signature is for those who did not write it. */
export function readCertificate(text: string): ErasureCertificate {
  return erasureCertificate.parse(decodeJwt(text));
}
