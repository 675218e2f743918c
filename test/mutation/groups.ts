/** Which files are mutated, and which unit tests their mutants are tried against: those that are about them, so that a run stays short. */
export interface Group {
  readonly mutate: readonly string[];
  /** Below test/unit. */
  readonly tests: readonly string[];
}

/** Braces around one name alone match nothing. */
const ledger = (names: string) => `worker/ledger/${names.includes(",") ? `{${names}}` : names}.ts`;

export const GROUPS: Readonly<Record<string, Group>> = {
  credentials: {
    mutate: [
      "schema/contract/{keys,dpop,dpop-proof,ids}.ts", "worker/leases/{token,dpop}.ts", "worker/http/{present,enter}.ts", "worker/tenants/{user-signature,derive}.ts",
      ledger("identify,key-ring,proof-log,user-identities"),
    ],
    tests: ["contract/{keys,ids}", "credentials/*"],
  },
  secrets: { mutate: ["worker/secrets/envelope.ts", ledger("secret-vault")], tests: ["secrets/*"] },
  audit: { mutate: ["worker/audit/{ndjson,signed-head,verify,verify-chain}.ts", ledger("audit-chain,journal")], tests: ["audit/*", "ledger/audit-chain", "ledger/lease-book"] },
  decisions: {
    mutate: [ledger("decide-hold,minute,calendar,denials,floods,charges,active,holds,instants,price-floor,alert-book"), "worker/alerts/thresholds.ts", "schema/contract/measure.ts"],
    tests: ["ledger/{decide-hold,minute,calendar,denials,floods,charges,active,holds,instants,price-floor,lease-book}", "alerts/*", "contract/measure"],
  },
  leases: { mutate: [ledger("lease-book,lease-row,books,mirrors,idempotency")], tests: ["ledger/{lease-book,lease-mirrors,idempotency,ledger.property}"] },
  records: { mutate: [ledger("outbox-ring,rollups,tally-book")], tests: ["ledger/{rollups,outbox-ring}"] },
};
