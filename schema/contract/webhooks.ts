/**
 * Webhooks of a tenant (Standard Webhooks): what may be subscribed to, the bodies, the log of deliveries.
 *
 * A message is `{type, timestamp, data}`. Its id (`webhook-id`) is the same on every attempt and on a replay: a receiver
 * that has seen it may forget it.
 */
import { z } from "zod";
import { amount, timestamp } from "./amounts.ts";

export const WEBHOOK_EVENTS = {
  "quota.threshold": "A limit has reached 50, 80 or 100 %.",
  "key.created": "A key was made.",
  "key.rotated": "A key was rotated.",
  "key.revoked": "A key was revoked.",
  "model.published": "A revision of a model went live.",
  "model.rolled-back": "A model went back to the revision before, or its canary was ended.",
  "tenant.disabled": "The tenant was disabled: no leases are granted.",
  "tenant.enabled": "The tenant was enabled.",
  "anomaly.denials": "100 leases or more were denied within a minute, for one reason.",
} as const;
export type WebhookEvent = keyof typeof WEBHOOK_EVENTS;
export const WEBHOOK_EVENT_NAMES = Object.keys(WEBHOOK_EVENTS) as [WebhookEvent, ...WebhookEvent[]];

export const ALERTED_LIMITS = [
  "daily_token_limit",
  "monthly_token_limit",
  "monthly_spend_limit",
  "per_user_daily_tokens",
  "key_daily_token_limit",
  "key_monthly_token_limit",
  "key_tokens_per_minute",
  "key_requests_per_minute",
  "key_concurrent_leases",
  "tokens_per_minute",
  "requests_per_minute",
  "concurrent_leases",
  "egress_bytes_daily",
  "storage_bytes",
  "model_quota",
] as const;
export type AlertedLimit = (typeof ALERTED_LIMITS)[number];

export const webhookId = z
  .string()
  .regex(/^wh_[0-9a-z]{24}$/)
  .brand<"WebhookId">()
  .meta({ description: "Webhook id.", example: "wh_01k9x2m4p6r8t0v2x4z6b8d0" });
export type WebhookId = z.infer<typeof webhookId>;

export const deliveryId = z
  .string()
  .regex(/^dl_[0-9a-z]{24}$/)
  .brand<"DeliveryId">()
  .meta({ description: "Delivery id.", example: "dl_01k9x2m4p6r8t0v2x4z6b8d0" });
export type DeliveryId = z.infer<typeof deliveryId>;

const events = z.array(z.enum(WEBHOOK_EVENT_NAMES)).min(1).max(WEBHOOK_EVENT_NAMES.length);

export const webhookCreate = z
  .strictObject({
    url: z.string().min(1).max(2000).meta({ description: "An https address on the public internet.", example: "https://example.com/hooks/leasehold" }),
    events: events
      .default(WEBHOOK_EVENT_NAMES)
      .refine((names) => new Set(names).size === names.length, "each event once")
      .meta({ description: "What to send; everything by default." }),
  })
  .meta({ id: "WebhookCreate" });
export type WebhookCreate = z.infer<typeof webhookCreate>;

export const webhook = z
  .object({
    id: webhookId,
    url: z.string(),
    events,
    created_at: timestamp,
    disabled_at: timestamp.nullable().meta({ description: "When its address answered 410 Gone: nothing is sent any more." }),
  })
  .meta({ id: "Webhook" });
export type Webhook = z.infer<typeof webhook>;

export const webhookCreated = webhook.extend({ secret: z.string().meta({ description: "The signing secret, whsec_…: shown this once." }) }).meta({ id: "WebhookCreated" });
export type WebhookCreated = z.infer<typeof webhookCreated>;

export const DELIVERY_STATES = ["pending", "delivered", "failed"] as const;

export const delivery = z
  .object({
    id: deliveryId,
    event_id: z.string().meta({ description: "The message's id, sent as webhook-id; that of its audit event.", example: "evt_acme_42" }),
    type: z.enum(WEBHOOK_EVENT_NAMES),
    state: z.enum(DELIVERY_STATES),
    created_at: timestamp,
    next_attempt_at: timestamp.nullable(),
    attempts: z.array(
      z.object({
        at: timestamp,
        status: z.int().nullable().meta({ description: "What the address answered; null where it did not." }),
        error: z.string().nullable(),
        latency_ms: amount,
      }),
    ),
    message: z.record(z.string(), z.unknown()).meta({ description: "What is sent." }),
  })
  .meta({ id: "Delivery" });
export type Delivery = z.infer<typeof delivery>;
