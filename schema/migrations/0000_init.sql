CREATE TABLE `audit_events` (
	`tenant_id` text NOT NULL,
	`seq` integer NOT NULL,
	`at` integer NOT NULL,
	`action` text NOT NULL,
	`actor` text NOT NULL,
	`user_id` text,
	`model` text,
	`request_id` text,
	`details` text NOT NULL,
	`prev_hash` text NOT NULL,
	`hash` text NOT NULL,
	PRIMARY KEY(`tenant_id`, `seq`)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `cost_records` (
	`tenant_id` text NOT NULL,
	`seq` integer NOT NULL,
	`at` integer NOT NULL,
	`day` text NOT NULL,
	`lease_id` text NOT NULL,
	`request_id` text,
	`user_id` text,
	`model` text NOT NULL,
	`revision` text NOT NULL,
	`input_tokens` integer NOT NULL,
	`output_tokens` integer NOT NULL,
	`unreported_tokens` integer NOT NULL,
	`calls` integer NOT NULL,
	`cost_nanos` integer NOT NULL,
	`outcome` text NOT NULL,
	`error_code` text,
	`latency_ms` integer,
	`ttft_ms` integer,
	`backend` text,
	`cache` text,
	PRIMARY KEY(`tenant_id`, `seq`)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `tenants` (
	`tenant_id` text PRIMARY KEY NOT NULL,
	`profile` text NOT NULL,
	`version` integer NOT NULL
) WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `usage_daily` (
	`tenant_id` text NOT NULL,
	`day` text NOT NULL,
	`model` text NOT NULL,
	`user_id` text NOT NULL,
	`input_tokens` integer NOT NULL,
	`output_tokens` integer NOT NULL,
	`unreported_tokens` integer NOT NULL,
	`calls` integer NOT NULL,
	`cost_nanos` integer NOT NULL,
	`version` integer NOT NULL,
	PRIMARY KEY(`tenant_id`, `day`, `model`, `user_id`)
) WITHOUT ROWID;
