CREATE TABLE `erased_tenants` (
	`tenant_id` text PRIMARY KEY NOT NULL,
	`erased_at` integer NOT NULL
) WITHOUT ROWID;
