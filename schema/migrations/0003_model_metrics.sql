CREATE TABLE `model_metrics` (
	`tenant_id` text NOT NULL,
	`model` text NOT NULL,
	`total` text NOT NULL,
	`recent` text NOT NULL,
	`hour` integer NOT NULL,
	`version` integer NOT NULL,
	PRIMARY KEY(`tenant_id`, `model`)
) WITHOUT ROWID;
