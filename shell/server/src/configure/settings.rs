//! Limits and behaviour: what the core is asked for.

use std::sync::Arc;

use martlet_broker::{Dialect, Settings, SharedStrategy};
use martlet_config as written;
use martlet_session::Overflow;
use martlet_topic::{Limits, TopicFilter};

use super::store::need;
use super::{Unusable, as_usize, seconds};

pub(super) fn dialect(from: written::Dialect) -> Dialect {
    match from {
        written::Dialect::Native => Dialect::NATIVE,
        written::Dialect::Mosquitto => Dialect::MOSQUITTO,
        written::Dialect::Mosquitto1 => Dialect::MOSQUITTO_1,
    }
}

pub(super) fn apply(
    from: &written::Config,
    settings: &mut Settings,
    warnings: &mut Vec<String>,
) -> Result<(), Unusable> {
    limits(&from.limits, settings);
    behaviour(from, settings, warnings);
    rules(&from.security, settings)?;
    settings.need = need(from.persistence.durability);
    let topic_need = |topic: &written::TopicDurability| Ok((filter(&topic.filter)?, need(topic.durability)));
    settings.topic_needs =
        from.persistence.topic_durability.iter().map(topic_need).collect::<Result<Arc<[_]>, _>>()?;
    Ok(())
}

fn limits(from: &written::Limits, settings: &mut Settings) {
    set(&mut settings.maximum_packet_size, from.packet_size_max);
    set(&mut settings.payload_bytes_max, from.payload_size_max.map(|bytes| as_usize(bytes.into())));
    settings.keep_alive_max = from.keep_alive_max;
    settings.send.in_flight = from.in_flight_messages_max.unwrap_or(u16::MAX);
    settings.send.in_flight_bytes = from.in_flight_bytes_max.map_or(usize::MAX, as_usize);
    settings.receive_maximum = settings.send.in_flight;
    settings.session_expiry_max = from.session_expiry_max.map_or(u32::MAX, seconds);
    settings.default_session_expiry = seconds(from.default_session_expiry);
    settings.keeps_qos0 = from.queue_qos0;
    let queue = &mut settings.queue;
    queue.messages = from.queue_messages_max.map_or(usize::MAX, as_usize);
    queue.bytes = from.queue_bytes_max.map_or(usize::MAX, as_usize);
    set(&mut queue.memory_bytes, from.queue_memory_max.map(as_usize));
    set(&mut queue.quota_messages, from.queue_quota_messages.map(as_usize));
    set(&mut queue.quota_bytes, from.queue_quota_bytes.map(as_usize));
    queue.overflow = match from.queue_policy {
        written::QueuePolicy::Spill => Overflow::Spill,
        written::QueuePolicy::Mosquitto => Overflow::DropNewest,
        written::QueuePolicy::DropOldest => Overflow::DropOldest,
        written::QueuePolicy::RejectPublisher => Overflow::RejectPublisher,
        written::QueuePolicy::Disconnect => Overflow::Disconnect,
    };
}

fn behaviour(from: &written::Config, settings: &mut Settings, warnings: &mut Vec<String>) {
    let (limits, behaviour) = (&from.limits, &from.behaviour);
    settings.retain_available = behaviour.retain_available;
    settings.checks_retain_source = behaviour.check_retain_source;
    settings.upgrades_qos = behaviour.upgrade_outgoing_qos;
    settings.allows_duplicates = behaviour.allow_duplicate_messages;
    settings.retry_interval = behaviour.retry_interval.map(seconds);
    settings.taking_is_life = behaviour.taking_is_life;
    settings.shared_strategy = match behaviour.shared_strategy {
        written::SharedStrategy::RoundRobin => SharedStrategy::RoundRobin,
        written::SharedStrategy::Random => SharedStrategy::Random,
        written::SharedStrategy::Sticky => SharedStrategy::Sticky,
        written::SharedStrategy::HashClient => SharedStrategy::HashClient,
        written::SharedStrategy::HashTopic => SharedStrategy::HashTopic,
    };
    let mut warn = |is_written: bool, text: &str| {
        if is_written {
            warnings.push(text.to_owned());
        }
    };
    warn(
        limits.clients_max.is_some(),
        "global_max_clients has no effect: max_connections limits those that are connected",
    );
    warn(
        limits.memory_max.is_some(),
        "memory_limit has no effect: queues and packets have limits of their own",
    );
}

/// What holds for everybody.
fn rules(from: &written::Security, settings: &mut Settings) -> Result<(), Unusable> {
    let filters = |texts: &[String]| texts.iter().map(|text| filter(text)).collect::<Result<Vec<_>, _>>();
    settings.rules.deny_subscribe = filters(&from.deny_subscribe)?;
    settings.rules.deny_publish = filters(&from.deny_publish)?;
    settings.explains_denials = !from.conceal_denials;
    settings.client_ids_begin =
        (!from.clientid_prefixes.is_empty()).then(|| Arc::from(from.clientid_prefixes.as_str()));
    Ok(())
}

fn filter(text: &str) -> Result<TopicFilter, Unusable> {
    TopicFilter::parse(text, &Limits::default()).map_err(|error| Unusable::of(text, error))
}

fn set<T>(setting: &mut T, wanted: Option<T>) {
    if let Some(wanted) = wanted {
        *setting = wanted;
    }
}
